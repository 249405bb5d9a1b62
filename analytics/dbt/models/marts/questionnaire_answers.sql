{{ config(
  materialized='incremental',
  unique_key='questionnaire_response_id',
  indexes=[
    {'columns': ['answer_key'], 'unique': true},
    {'columns': ['questionnaire_response_id']},
    {'columns': ['link_id']},
    {'columns': ['_airbyte_extracted_at', 'questionnaire_response_id']},
  ],
  pre_hook="{{ remove_outdated('questionnaire_response', 'questionnaire_response_id') }}",
) }}
select
  {{ fhir_key("questionnaire_response_id || '#' || answer_path") }} as answer_key,
  int_questionnaire_answers.*
from {{ ref('int_questionnaire_answers') }} as int_questionnaire_answers
{{ only_changed('questionnaire_response', 'questionnaire_response_id') }}
