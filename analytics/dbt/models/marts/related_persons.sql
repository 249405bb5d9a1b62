{{ config(
  indexes=[{'columns': ['related_person_id'], 'unique': true}, {'columns': ['patient_id']}],
) }}
select
  related_person_id,
  patient_id,
  relationship_code,
  relationship_text,
  family_name,
  given_names,
  full_name,
  gender,
  birth_date,
  phone,
  place_id,
  last_updated
from {{ ref('stg_related_person') }}
