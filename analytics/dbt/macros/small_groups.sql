{#-
  Post-hook: the dashboards' role sees only rows that count enough people; the analysts' role sees
  all, and so does the owner. It runs in the transaction that puts the table in place, so that no
  reader finds the table without its policies.
-#}
{% macro hide_small_groups() -%}
  alter table {{ this }} enable row level security;
  create policy large_enough on {{ this }} for select to {{ var('dashboard_role') }}
    using (people >= {{ var('smallest_group') | int }});
  create policy everything on {{ this }} for select to {{ var('analyst_role') }} using (true)
{%- endmacro %}
