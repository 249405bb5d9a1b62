-- A view: whoever asks for a measure pays for it, and no run does.
{{ config(materialized='view') }}
{%- set tables = quality_tables() %}
{%- for measure, resource, table, problem, looked_at in quality_checks() %}
select distinct
  '{{ measure }}' as measure,
  '{{ resource }}' as resource,
  checked.{{ tables[table][1] }} as record_id
from {{ ref(table) }} as checked
where ({{ looked_at }}) and ({{ problem }})
union all
{%- endfor %}
select 'refused when loaded', stream, id
from {{ source('airbyte', 'rejected_records') }}
