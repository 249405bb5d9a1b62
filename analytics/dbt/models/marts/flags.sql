{{ config(
  materialized='incremental',
  unique_key='flag_id',
  indexes=[
    {'columns': ['flag_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['_airbyte_extracted_at', 'flag_id']},
  ],
  pre_hook="{{ remove_outdated('flag', 'flag_id') }}",
) }}
select *
from {{ ref('stg_flag') }}
{{ only_changed('flag', 'flag_id') }}
