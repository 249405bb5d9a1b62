{{ config(
  materialized='incremental',
  unique_key='care_plan_id',
  indexes=[
    {'columns': ['care_plan_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['_airbyte_extracted_at', 'care_plan_id']},
  ],
  pre_hook="{{ remove_outdated('care_plan', 'care_plan_id') }}",
) }}
select *
from {{ ref('stg_care_plan') }}
{{ only_changed('care_plan', 'care_plan_id') }}
