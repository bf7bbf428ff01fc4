-- An awkward database of a user's own: what real ones have, in few tables.
create schema crm;
create type order_status as enum ('open', 'paid', 'it''s back');
create type address as (street text, city text);
create domain price as numeric(12, 2) check (value >= 0);
create domain net_price as price;

create table crm.customers (
    id uuid primary key default gen_random_uuid(),
    "Shown As" text not null,
    email text not null unique,
    password_hash text,
    prompt_tokens bigint,
    home address,
    is_active boolean not null default true,
    born_at date,
    pin_code text
);
comment on table crm.customers is 'People who bought something,
    on two lines: with a colon, and {{ braces }}.';
comment on column crm.customers."Shown As" is 'As they write it: "first, last" {% never %} parsed';

create table "Invoices" ("Id" bigint primary key, "PaidAt" timestamp);
create table _prisma_migrations (id text primary key);
create table "50% off" (id bigint primary key);
create table "注文" (id bigint primary key);

create table orders (
    order_no text primary key,
    "customerId" uuid not null references crm.customers (id),
    replaced_by text references orders (order_no),
    status order_status not null,
    statuses order_status[],
    total price,
    net net_price,
    "order" integer,
    "user" text,
    batch_id integer,
    details json,
    tags text[],
    paid_at timestamp(3) with time zone,
    period tstzrange,
    "2nd" char(3),
    "Discount %" numeric,
    total_twice numeric generated always as (total * 2) stored
);

create table order_lines (
    order_no text not null,
    line_no smallint not null,
    amount integer not null,
    "API Key" text,
    primary key (order_no, line_no)
);
alter table order_lines add foreign key (order_no) references orders (order_no) not valid;

create table crm.orders (id integer primary key);
create table "OrderItem" (
    "A" integer not null,
    "B" bigint not null references "Invoices",
    "crmOrder" integer references crm.orders,
    unique ("A", "B")
);

create table shipments (
    shipment_code text,
    depot integer not null,
    number integer not null,
    order_no text,
    line_no smallint,
    unique (depot, number),
    unique (shipment_code),
    foreign key (order_no, line_no) references order_lines (order_no, line_no)
);

create table events (
    event_id bigint generated always as identity,
    happened_at timestamp not null,
    note text,
    invoice_id bigint references "Invoices",
    primary key (event_id, happened_at)
) partition by range (happened_at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table events_rest partition of events default;

create table readings (sensor integer, value double precision);
create table sessions (session_id text primary key, seen_at timestamptz);
create table logins (id integer primary key, opened_in text references sessions);
create table api_clients (client_secret text primary key, name text not null unique);
create table "select" (id integer primary key, _batch_id integer);
create table vehicles (id integer primary key);
create table trucks (load integer) inherits (vehicles);
create view open_orders as select * from orders where status = 'open';
create materialized view order_counts as select status, count(*) from orders group by status;

insert into crm.customers (id, "Shown As", email)
select gen_random_uuid(), 'Customer ' || n, 'c' || n || '@example.org' from generate_series(1, 20) as n;
insert into orders (order_no, "customerId", replaced_by, status, statuses, total, net, "order", "user", batch_id, details, tags, paid_at, period)
select 'O' || n, (select id from crm.customers order by id limit 1), case when n > 1 then 'O1' end, 'it''s back', '{open,paid}', n, 'NaN', n, 'u', n,
    '{"a": 1}', '{a,"b c"}', '2025-01-01 10:00:00.123+02', '[2025-01-01, 2025-02-01)'
from generate_series(1, 30) as n;
insert into order_lines select 'O' || n, l, n from generate_series(1, 30) as n, generate_series(1, 2) as l;
insert into order_lines values ('O1', 3, 1);
insert into shipments select null, n % 3, n, 'O' || n, 1 from generate_series(1, 30) as n;
insert into events (happened_at, note) select timestamp '2025-06-01' + n * interval '1 month', 'note' from generate_series(1, 12) as n;
insert into "Invoices" select n, timestamp '2025-01-01' + n * interval '1 day' from generate_series(1, 9) as n;
insert into _prisma_migrations values ('20250101000000_init');
insert into crm.orders select generate_series(1, 4);
insert into "OrderItem" select n, 1 + n % 9, 1 + n % 4 from generate_series(1, 20) as n;
insert into readings select n % 4, n / 10.0 from generate_series(1, 40) as n;
insert into readings select n % 4, n / 10.0 from generate_series(1, 40) as n;
insert into api_clients select 's' || n, 'name ' || n from generate_series(1, 3) as n;
insert into "select" values (1, 1);
