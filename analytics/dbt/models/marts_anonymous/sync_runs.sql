select
  id as run_id, started_at, finished_at, status, full_refresh, resources, deleted, rejected, bytes,
  seconds, watermark
from {{ source('sync', 'runs') }}
