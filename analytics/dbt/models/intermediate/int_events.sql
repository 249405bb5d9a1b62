-- One row for everything that was done for somebody. What was planned, cancelled or entered in
-- error was not done; without a date it cannot be counted by month (data_quality counts those).
{%- set undone = "('planned', 'draft', 'cancelled', 'entered-in-error', 'not-done')" %}
select
  'registration' as service,
  registered_on as day,
  patient_id,
  null as household_id,
  location_id as place_id
from {{ ref('patients') }}
where registered_on is not null
union all
select 'visit', started_on, patient_id, household_id, place_id
from {{ ref('encounters') }}
where started_on is not null and status not in {{ undone }}
union all
select 'observation', observed_on, patient_id, household_id, place_id
from {{ ref('observations') }}
where component_number = 0 and observed_on is not null and status not in {{ undone }}
union all
select 'condition', coalesce(recorded_on, onset_on), patient_id, null, place_id
from {{ ref('conditions') }}
where
  coalesce(recorded_on, onset_on) is not null
  and verification_status is distinct from 'entered-in-error'
union all
select 'immunization', given_on, patient_id, null, place_id
from {{ ref('immunizations') }}
where given_on is not null and status = 'completed'
union all
select 'task done', coalesce(ended_on, modified_on, authored_on), patient_id, household_id, place_id
from {{ ref('tasks') }}
where status = 'completed' and coalesce(ended_on, modified_on, authored_on) is not null
union all
select 'form', authored_on, patient_id, household_id, place_id
from {{ ref('questionnaire_responses') }}
where authored_on is not null and status in ('completed', 'amended')
union all
select 'procedure', performed_on, patient_id, null, place_id
from {{ ref('procedures') }}
where performed_on is not null and status = 'completed'
union all
select 'medication request', authored_on, patient_id, null, place_id
from {{ ref('medication_requests') }}
where authored_on is not null and status not in {{ undone }}
