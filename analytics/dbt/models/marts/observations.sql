{{ config(
  materialized='incremental',
  unique_key='observation_id',
  indexes=[
    {'columns': ['observation_key'], 'unique': true},
    {'columns': ['observation_id']},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['observed_on']},
    {'columns': ['code']},
    {'columns': ['_airbyte_extracted_at', 'observation_id']},
  ],
  pre_hook="{{ remove_outdated('observation', 'observation_id') }}",
) }}
with records as (
  select *
  from {{ ref('stg_observation') }}
  {{ only_changed('observation', 'observation_id') }}
)

select
  observation_id || '#0' as observation_key,
  0 as component_number,
  observation_id,
  patient_id,
  household_id,
  encounter_id,
  status,
  category_code,
  observed_on,
  observed_at,
  observed_precision,
  observed_written,
  code_system,
  code,
  code_text,
  interpretation_system,
  interpretation_code,
  interpretation_text,
  absent_reason_code,
  value_type,
  value_text,
  value_number,
  value_unit,
  value_system,
  value_code,
  value_boolean,
  value_date,
  value_time,
  value_date_precision,
  coalesce(jsonb_path_exists(components, '$[*]'), false) as has_components,
  place_id,
  app_version,
  care_team_id,
  practitioner_id,
  location_tag_id,
  organization_id,
  related_location_tag_id,
  last_updated,
  _airbyte_extracted_at
from records
union all
select
  records.observation_id || '#' || component.number,
  component.number::int,
  records.observation_id,
  records.patient_id,
  records.household_id,
  records.encounter_id,
  records.status,
  records.category_code,
  records.observed_on,
  records.observed_at,
  records.observed_precision,
  records.observed_written,
  {{ concept('component.value', 'code', 'code') }},
  {{ concept('component.value', 'interpretation,0', 'interpretation') }},
  component.value #>> '{dataAbsentReason,coding,0,code}',
  {{ value_columns('component.value') }},
  false,
  records.place_id,
  records.app_version,
  records.care_team_id,
  records.practitioner_id,
  records.location_tag_id,
  records.organization_id,
  records.related_location_tag_id,
  records.last_updated,
  records._airbyte_extracted_at
from records
cross join lateral
  jsonb_path_query(records.components, '$[*]') with ordinality as component (value, number)
