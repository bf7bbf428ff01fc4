"""What runs need from outside: databases, dbt, Great Expectations, alerts."""
