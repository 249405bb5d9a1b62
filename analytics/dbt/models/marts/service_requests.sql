{{ config(
  materialized='incremental',
  unique_key='service_request_id',
  indexes=[
    {'columns': ['service_request_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['_airbyte_extracted_at', 'service_request_id']},
  ],
  pre_hook="{{ remove_outdated('service_request', 'service_request_id') }}",
) }}
select *
from {{ ref('stg_service_request') }}
{{ only_changed('service_request', 'service_request_id') }}
