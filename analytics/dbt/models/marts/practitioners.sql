{{ config(indexes=[{'columns': ['practitioner_id'], 'unique': true}]) }}
select
  practitioner_id,
  identifier,
  keycloak_user_id,
  family_name,
  given_names,
  full_name,
  gender,
  phone,
  email,
  active,
  last_updated
from {{ ref('stg_practitioner') }}
