{{ config(
  materialized='incremental',
  unique_key='patient_id',
  indexes=[{'columns': ['patient_id'], 'unique': true}, {'columns': ['_airbyte_extracted_at', 'patient_id']}],
  pre_hook="{{ remove_outdated('patient', 'patient_id') }}",
) }}
-- The one table that has the patients of `fhirstack verify`, which follows one of them to here.
select *
from {{ ref('stg_patient') }}
{{ only_changed('patient', 'patient_id') }}
