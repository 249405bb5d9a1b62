{{ config(
  materialized='incremental',
  unique_key='encounter_id',
  indexes=[
    {'columns': ['encounter_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['started_on']},
    {'columns': ['_airbyte_extracted_at', 'encounter_id']},
  ],
  pre_hook="{{ remove_outdated('encounter', 'encounter_id') }}",
) }}
select *
from {{ ref('stg_encounter') }}
{{ only_changed('encounter', 'encounter_id') }}
