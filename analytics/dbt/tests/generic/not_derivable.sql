{#- No key equals the id of an identifiable patient, or a hash of one that needs no secret. If keys
    were made so, a thousand patients would show it. -#}
{% test not_derivable(model, column_name) %}
with patients as (
  select patient_id from {{ ref('patients') }} order by patient_id limit 1000
),

guesses as (
  select guess.key
  from patients
  cross join lateral (values (patient_id), ('Patient/' || patient_id)) as known (id)
  cross join lateral convert_to(known.id, 'UTF8') as bytes
  cross join lateral (
    values (known.id), (md5(bytes)), (encode(sha224(bytes), 'hex')), (encode(sha256(bytes), 'hex')),
      (encode(sha512(bytes), 'hex')), (encode(sha256(sha256(bytes)), 'hex'))
  ) as guess (key)
)

select {{ column_name }} from {{ model }} where {{ column_name }} in (select key from guesses)
{% endtest %}
