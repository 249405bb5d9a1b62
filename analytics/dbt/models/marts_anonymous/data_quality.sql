{%- set checks = quality_checks() -%}
{%- set by_table = {} -%}
{%- for check in checks -%}
  {%- do by_table.setdefault(check[2], []).append(check) -%}
{%- endfor -%}

with counted as (
  {#- One pass over each table, whatever the number of its measures. #}
  {%- for table, of_table in by_table.items() %}
  (
    select measure.*
    from (
      select
        {%- for _, _, _, problem, looked_at in of_table %}
        count(*) filter (where {{ looked_at }}) as records_{{ loop.index }},
        count(*) filter (where {{ looked_at }} and {{ problem }}) as problems_{{ loop.index }}
        {{- ',' if not loop.last }}
        {%- endfor %}
      from {{ ref(table) }} as checked
    ) as totals
    cross join lateral (
      values
      {%- for name, resource, _, _, _ in of_table %}
      ('{{ name }}', '{{ resource }}', records_{{ loop.index }}, problems_{{ loop.index }})
      {{- ',' if not loop.last }}
      {%- endfor %}
    ) as measure (measure, resource, records, problems)
  )
  union all
  {%- endfor %}
  select 'refused when loaded', stream, null, count(*)
  from {{ source('airbyte', 'rejected_records') }}
  group by stream
  {#- The clock of the machine that loads was ahead, or is behind. #}
  {%- for stream in streams() %}
  union all
  select 'loaded in the future', '{{ stream }}', null, count(*)
  from {{ source('airbyte', stream) }}
  where _airbyte_extracted_at > now()
  having count(*) > 0
  {%- endfor %}
)

select
  measure,
  resource,
  records,
  problems,
  case when records > 0 then problems::double precision / records end as share
from counted
