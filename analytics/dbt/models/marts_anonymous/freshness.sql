{%- set newest = {
  'patient': 'int_patients', 'location': 'locations', 'organization': 'organizations',
  'practitioner': 'practitioners', 'encounter': 'encounters', 'condition': 'conditions',
  'flag': 'flags', 'observation': 'observations', 'care_plan': 'care_plans', 'task': 'tasks',
  'questionnaire_response': 'questionnaire_responses', 'related_person': 'related_persons',
  'immunization': 'immunizations', 'procedure': 'procedures',
  'medication_request': 'medication_requests', 'service_request': 'service_requests',
  'group': 'stg_group', 'organization_affiliation': 'stg_organization_affiliation',
  'practitioner_role': 'stg_practitioner_role', 'care_team': 'stg_care_team',
} -%}
{%- for stream, model in newest.items() %}
select
  '{{ stream }}' as resource,
  (select count(*) from {{ source('airbyte', stream) }}) as records,
  (select max(last_updated) from {{ ref(model) }}) as newest_change,
  (select max(_airbyte_extracted_at) from {{ source('airbyte', stream) }}) as last_loaded
{{ 'union all' if not loop.last }}
{%- endfor %}
