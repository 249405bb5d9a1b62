{{ config(
  materialized='incremental',
  unique_key='medication_request_id',
  indexes=[
    {'columns': ['medication_request_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['_airbyte_extracted_at', 'medication_request_id']},
  ],
  pre_hook="{{ remove_outdated('medication_request', 'medication_request_id') }}",
) }}
select *
from {{ ref('stg_medication_request') }}
{{ only_changed('medication_request', 'medication_request_id') }}
