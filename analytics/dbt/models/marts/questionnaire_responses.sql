{{ config(
  materialized='incremental',
  unique_key='questionnaire_response_id',
  indexes=[
    {'columns': ['questionnaire_response_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['questionnaire_id']},
    {'columns': ['_airbyte_extracted_at', 'questionnaire_response_id']},
  ],
  pre_hook="{{ remove_outdated('questionnaire_response', 'questionnaire_response_id') }}",
) }}
select *
from {{ ref('stg_questionnaire_response') }}
{{ only_changed('questionnaire_response', 'questionnaire_response_id') }}
