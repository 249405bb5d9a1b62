{{ config(
  indexes=[
    {'columns': ['patient_id'], 'unique': true},
    {'columns': ['location_id']},
    {'columns': ['household_id']},
    {'columns': ['practitioner_id']},
  ],
) }}
-- FHIR has no date of registration. It is the first visit or form; a patient with neither counts
-- from when the server last wrote the record, and one without a readable time of that when it
-- was landed.
with first_seen as (
  select patient_id, min(seen_on) as seen_on
  from (
    select patient_id, started_on as seen_on
    from {{ ref('encounters') }}
    where status not in ('planned', 'cancelled', 'entered-in-error')
    union all
    select patient_id, authored_on
    from {{ ref('questionnaire_responses') }}
    where status <> 'entered-in-error'
  ) as seen
  group by patient_id
),

lives_in as (
  select patient_id, min(household_id) as household_id
  from {{ ref('household_members') }}
  inner join {{ ref('households') }} as household using (household_id)
  where household_members.active and household.active
  group by patient_id
)

select
  patient.patient_id,
  patient.identifier,
  patient.secondary_identifier,
  patient.family_name,
  patient.given_names,
  patient.full_name,
  patient.gender,
  patient.birth_date,
  patient.birth_date_precision,
  patient.birth_date_written,
  patient.deceased,
  patient.deceased_on,
  patient.phone,
  patient.active,
  patient.address_city,
  patient.address_district,
  lives_in.household_id,
  patient.place_id as location_id,
  patient.location_tag_id,
  patient.related_location_tag_id,
  patient.care_team_id,
  patient.organization_id,
  patient.managing_organization_id,
  patient.practitioner_id,
  patient.app_version,
  coalesce(
    first_seen.seen_on,
    (coalesce(patient.last_updated, patient._airbyte_extracted_at)
      at time zone '{{ var('time_zone') }}')::date
  ) as registered_on,
  patient.last_updated,
  patient._airbyte_extracted_at
from {{ ref('int_patients') }} as patient
left join first_seen using (patient_id)
left join lives_in using (patient_id)
where not patient.made_by_verify
