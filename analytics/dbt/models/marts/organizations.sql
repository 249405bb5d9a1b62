{{ config(indexes=[{'columns': ['organization_id'], 'unique': true}]) }}
select organization_id, identifier, name, active, type_code, parent_id, last_updated
from {{ ref('stg_organization') }}
