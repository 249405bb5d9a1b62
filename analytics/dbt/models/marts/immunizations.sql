{{ config(
  materialized='incremental',
  unique_key='immunization_id',
  indexes=[
    {'columns': ['immunization_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['given_on']},
    {'columns': ['_airbyte_extracted_at', 'immunization_id']},
  ],
  pre_hook="{{ remove_outdated('immunization', 'immunization_id') }}",
) }}
select *
from {{ ref('stg_immunization') }}
{{ only_changed('immunization', 'immunization_id') }}
