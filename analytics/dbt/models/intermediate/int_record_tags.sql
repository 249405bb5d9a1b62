select
  stream,
  resource_id,
  {{- tag_pivot('system', 'code') }}
from {{ ref('int_meta_tags') }}
group by stream, resource_id
