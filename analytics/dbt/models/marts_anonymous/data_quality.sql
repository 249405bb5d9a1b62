{#- measure, resource, table, condition of a problem, condition of a record that is looked at. -#}
{%- set checks = [
  ('without birth date', 'patient', 'patients', 'birth_date is null', 'true'),
  ('birth date cannot be read', 'patient', 'patients',
    'birth_date is null', 'birth_date_written is not null'),
  ('birth date in the future', 'patient', 'patients', 'birth_date > ' ~ today(), 'true'),
  ('without gender', 'patient', 'patients', "coalesce(gender, 'unknown') = 'unknown'", 'true'),
  ('without location tag', 'patient', 'patients', 'location_tag_id is null', 'true'),
  ('without household', 'patient', 'patients', 'household_id is null', 'true'),
  ('without period', 'encounter', 'encounters', 'started_on is null', 'true'),
  ('without date', 'observation', 'observations', 'observed_on is null', 'component_number = 0'),
  ('without value', 'observation', 'observations',
    'value_type is null and not has_components and absent_reason_code is null',
    'component_number = 0'),
  ('without date', 'condition', 'conditions', 'coalesce(recorded_on, onset_on) is null', 'true'),
  ('without date', 'immunization', 'immunizations', 'given_on is null', 'true'),
  ('without members', 'group', 'households', 'members = 0', 'true'),
  ('member unknown', 'group', 'household_members',
    'not exists (select from ' ~ ref('patients')
      ~ ' as target where target.patient_id = checked.patient_id)', 'true'),
  ('without a known place in the hierarchy', 'location', 'locations', 'problem is not null', 'true'),
] -%}
{%- set day_of = {
  'encounter': ('encounters', 'started_on'), 'observation': ('observations', 'observed_on'),
  'condition': ('conditions', 'coalesce(recorded_on, onset_on)'),
  'immunization': ('immunizations', 'given_on'), 'task': ('tasks', 'authored_on'),
  'questionnaire_response': ('questionnaire_responses', 'authored_on'),
} -%}
{%- for resource, (table, day) in day_of.items() -%}
  {%- set one = 'component_number = 0' if resource == 'observation' else 'true' -%}
  {%- do checks.append(('date in the future', resource, table, day ~ ' > ' ~ today(), one)) -%}
  {%- do checks.append(('without location tag', resource, table, 'location_tag_id is null', one)) -%}
  {%- do checks.append((
    'location tag unknown', resource, table,
    'not exists (select from ' ~ ref('locations')
      ~ ' as target where target.location_id = checked.location_tag_id)',
    one ~ ' and location_tag_id is not null')) -%}
  {%- do checks.append((
    'patient unknown', resource, table,
    'not exists (select from ' ~ ref('patients')
      ~ ' as target where target.patient_id = checked.patient_id)',
    one ~ ' and patient_id is not null')) -%}
{%- endfor -%}
{%- for resource in ['observation', 'condition', 'immunization', 'task', 'questionnaire_response'] -%}
  {%- set one = 'component_number = 0' if resource == 'observation' else 'true' -%}
  {%- do checks.append((
    'encounter unknown', resource, day_of[resource][0],
    'not exists (select from ' ~ ref('encounters')
      ~ ' as target where target.encounter_id = checked.encounter_id)',
    one ~ ' and encounter_id is not null')) -%}
{%- endfor -%}
{%- do checks.append((
  'location tag unknown', 'patient', 'patients',
  'not exists (select from ' ~ ref('locations')
    ~ ' as target where target.location_id = checked.location_tag_id)',
  'location_tag_id is not null')) -%}
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
)

select
  measure,
  resource,
  records,
  problems,
  case when records > 0 then problems::double precision / records end as share
from counted
