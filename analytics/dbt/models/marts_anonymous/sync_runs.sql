-- A view: a run that fails, or finds nothing new, makes no table anew, and must be seen too.
{{ config(materialized='view') }}
select
  id as run_id, started_at, finished_at, status, full_refresh, resources, deleted, rejected, bytes,
  seconds, watermark
from {{ source('sync', 'runs') }}
