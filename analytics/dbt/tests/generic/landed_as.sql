{#- The landed record is of the type that its table says, under the id that its row says. Looks at
    what was landed in the last day only: older rows were looked at when they were new. -#}
{% test landed_as(model, stream, type) %}
select landed.id
from {{ source('airbyte', stream) }} as landed
where landed._airbyte_extracted_at > now() - interval '1 day'
  and (
    landed.resource ->> 'resourceType' is distinct from '{{ type }}'
    or landed.resource ->> 'id' is distinct from landed.id
  )
{% endtest %}
