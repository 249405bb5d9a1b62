{{ config(
  materialized='incremental',
  unique_key='patient_id',
  indexes=[{'columns': ['patient_id'], 'unique': true}, {'columns': ['_airbyte_extracted_at']}],
  pre_hook="{{ remove_outdated('patient', 'patient_id') }}",
) }}
select *
from {{ ref('stg_patient') }}
{{ only_changed('patient', 'patient_id') }}
