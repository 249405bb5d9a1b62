{{ config(
  materialized='incremental',
  unique_key='task_id',
  indexes=[
    {'columns': ['task_id'], 'unique': true},
    {'columns': ['patient_id']},
    {'columns': ['place_id']},
    {'columns': ['status']},
    {'columns': ['_airbyte_extracted_at', 'task_id']},
  ],
  pre_hook="{{ remove_outdated('task', 'task_id') }}",
) }}
select *
from {{ ref('stg_task') }}
{{ only_changed('task', 'task_id') }}
