{%- set onset = "coalesce(landed.resource ->> 'onsetDateTime', "
  ~ "landed.resource #>> '{onsetPeriod,start}')" -%}
select
  record.id as condition_id,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  landed.resource #>> '{clinicalStatus,coding,0,code}' as clinical_status,
  landed.resource #>> '{verificationStatus,coding,0,code}' as verification_status,
  landed.resource #>> '{category,0,coding,0,code}' as category_code,
  {{ concept('landed.resource', 'code', 'code') }},
  {{ concept('landed.resource', 'severity', 'severity') }},
  {{ fhir_date("landed.resource ->> 'recordedDate'") }} as recorded_on,
  {{ fhir_time("landed.resource ->> 'recordedDate'") }} as recorded_at,
  {{ fhir_date(onset) }} as onset_on,
  {{ fhir_time(onset) }} as onset_at,
  {{ fhir_precision(onset) }} as onset_precision,
  {{ fhir_date("landed.resource ->> 'abatementDateTime'") }} as abated_on,
  {{ record_columns() }}
{{ from_landing('condition') }}
{{ join_tags() }}
