{{ config(
  materialized='incremental',
  unique_key='condition_id',
  indexes=[
    {'columns': ['condition_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['code']},
    {'columns': ['_airbyte_extracted_at', 'condition_id']},
  ],
  pre_hook="{{ remove_outdated('condition', 'condition_id') }}",
) }}
select *
from {{ ref('stg_condition') }}
{{ only_changed('condition', 'condition_id') }}
