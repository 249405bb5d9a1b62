{{ config(
  materialized='incremental',
  unique_key='procedure_id',
  indexes=[
    {'columns': ['procedure_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['_airbyte_extracted_at', 'procedure_id']},
  ],
  pre_hook="{{ remove_outdated('procedure', 'procedure_id') }}",
) }}
select *
from {{ ref('stg_procedure') }}
{{ only_changed('procedure', 'procedure_id') }}
