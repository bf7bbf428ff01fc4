-- Executions of any system whose row in fct_runs may differ.
with final as (

    {{ names_of_touched_executions(systems_with_executions()) }}

)

select * from final
