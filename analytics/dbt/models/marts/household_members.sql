{{ config(
  materialized='incremental',
  unique_key='household_id',
  indexes=[
    {'columns': ['household_member_key'], 'unique': true},
    {'columns': ['household_id']},
    {'columns': ['patient_id']},
    {'columns': ['_airbyte_extracted_at', 'household_id']},
  ],
  pre_hook="{{ remove_outdated('group', 'household_id') }}",
) }}
select
  group_id || '#' || member.number as household_member_key,
  group_id as household_id,
  member.number::int as member_number,
  {{ reference_id('member.value', 'entity', 'Patient') }} as patient_id,
  not coalesce({{ fhir_boolean("member.value ->> 'inactive'") }}, false) as active,
  {{ fhir_date("member.value #>> '{period,start}'") }} as joined_on,
  {{ fhir_date("member.value #>> '{period,end}'") }} as left_on,
  place_id,
  _airbyte_extracted_at
from {{ ref('stg_group') }}
cross join lateral
  jsonb_path_query(members, '$[*]') with ordinality as member (value, number)
where is_household {{ only_changed('group', 'group_id', 'household_id', word='and') }}
