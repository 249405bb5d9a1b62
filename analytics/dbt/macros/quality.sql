{#-
  What counts as a problem of a record: measure, resource, table, condition of a problem, condition
  of a record that is looked at. `data_quality` counts them, `record_problems` names the records.
-#}
{% macro quality_checks() -%}
  {%- set checks = [
    ('without birth date', 'patient', 'patients', 'birth_date is null', 'true'),
    ('birth date cannot be read', 'patient', 'patients',
      'birth_date is null', 'birth_date_written is not null'),
    ('birth date in the future', 'patient', 'patients', 'birth_date > ' ~ today(), 'true'),
    ('without gender', 'patient', 'patients', "coalesce(gender, 'unknown') = 'unknown'", 'true'),
    ('without location tag', 'patient', 'patients', 'location_tag_id is null', 'true'),
    ('without household', 'patient', 'patients', 'household_id is null', 'true'),
    ('without period', 'encounter', 'encounters', 'started_on is null', 'true'),
    ('ends before it begins', 'encounter', 'encounters', 'ended_at < started_at',
      'ended_at is not null and started_at is not null'),
    ('without date', 'observation', 'observations', 'observed_on is null', 'component_number = 0'),
    ('without value', 'observation', 'observations',
      'value_type is null and not has_components and absent_reason_code is null',
      'component_number = 0'),
    ('number cannot be read', 'observation', 'observations',
      'value_number is null and value_text is not null',
      "value_type in ('quantity', 'integer', 'decimal')"),
    ('without date', 'condition', 'conditions', 'coalesce(recorded_on, onset_on) is null', 'true'),
    ('without date', 'immunization', 'immunizations', 'given_on is null', 'true'),
    ('without members', 'group', 'households', 'members = 0', 'true'),
    ('member unknown', 'group', 'household_members', unknown('patients', 'patient_id'), 'true'),
    ('without a known place in the hierarchy', 'location', 'locations', 'problem is not null',
      'true'),
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
      'location tag unknown', resource, table, unknown('locations', 'location_id', 'location_tag_id'),
      one ~ ' and location_tag_id is not null')) -%}
    {%- do checks.append((
      'patient unknown', resource, table, unknown('patients', 'patient_id'),
      one ~ ' and patient_id is not null')) -%}
    {%- if resource != 'encounter' -%}
      {%- do checks.append((
        'encounter unknown', resource, table, unknown('encounters', 'encounter_id'),
        one ~ ' and encounter_id is not null')) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- do checks.append((
    'location tag unknown', 'patient', 'patients',
    unknown('locations', 'location_id', 'location_tag_id'), 'location_tag_id is not null')) -%}
  {%- for table, (resource, _, columns) in quality_tables().items() -%}
    {%- if columns -%}
      {%- set what = 'link id' if table == 'questionnaire_answers' else 'code or tag' -%}
      {%- do checks.append(
        (what ~ ' too long, shortened', resource, table, shortened(columns), 'true')) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(checks) }}
{%- endmacro %}

{#- Tables that are looked at: the resource, the column with a record's id, and the columns with text
    of any length that `fhir_key` made fit. -#}
{% macro quality_tables() -%}
  {{ return({
    'patients': ('patient', 'patient_id', ['location_id', 'practitioner_id']),
    'encounters': ('encounter', 'encounter_id', ['type_code', 'reason_code', 'place_id']),
    'observations': ('observation', 'observation_id', ['code', 'interpretation_code', 'place_id']),
    'conditions': ('condition', 'condition_id', ['code', 'severity_code', 'place_id']),
    'immunizations': ('immunization', 'immunization_id', ['vaccine_code', 'place_id']),
    'tasks': ('task', 'task_id', ['status', 'code', 'business_status_code', 'place_id']),
    'questionnaire_responses':
      ('questionnaire_response', 'questionnaire_response_id', ['questionnaire_id', 'place_id']),
    'questionnaire_answers':
      ('questionnaire_response', 'questionnaire_response_id', ['answer_key', 'link_id']),
    'procedures': ('procedure', 'procedure_id', ['code', 'place_id']),
    'medication_requests':
      ('medication_request', 'medication_request_id', ['medication_code', 'place_id']),
    'service_requests': ('service_request', 'service_request_id', ['code', 'place_id']),
    'care_plans': ('care_plan', 'care_plan_id', ['category_code', 'place_id']),
    'flags': ('flag', 'flag_id', ['code', 'place_id']),
    'households': ('group', 'household_id', ['place_id']),
    'household_members': ('group', 'household_id', []),
    'locations': ('location', 'location_id', []),
  }) }}
{%- endmacro %}

{#- That `column` names no row of a table. -#}
{% macro unknown(table, key, column=none) -%}
  not exists (select from {{ ref(table) }} as target where target.{{ key }} = checked.{{ column or key }})
{%- endmacro %}

{#- That `fhir_key` shortened one of these columns. The length is compared first: it costs least. -#}
{% macro shortened(columns) -%}
  {%- for column in columns -%}
  (length({{ column }}) = 273 and {{ column }} like '%… sha256:%') {{- ' or ' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}
