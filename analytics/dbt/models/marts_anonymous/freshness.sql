{#- What was stamped while a clock was ahead must not look new for ever. -#}
{%- set table_of = {
  'group': 'stg_group', 'organization_affiliation': 'stg_organization_affiliation',
  'practitioner_role': 'stg_practitioner_role', 'care_team': 'stg_care_team',
} -%}
{%- for stream in streams() %}
select
  '{{ stream }}' as resource,
  count(*) as records,
  max(last_updated) filter (where last_updated <= now()) as newest_change,
  (
    select max(_airbyte_extracted_at)
    from {{ source('airbyte', stream) }}
    where _airbyte_extracted_at <= now()
  ) as last_loaded
from {{ ref(table_of[stream] or stream ~ 's') }}
{{- ' where component_number = 0' if stream == 'observation' }}
{{ 'union all' if not loop.last }}
{%- endfor %}
