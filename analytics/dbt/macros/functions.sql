{#-
  SQL functions that read FHIR primitives and never raise: what cannot be read is null.

  They check before they cast, and so need no exception block (each would be a subtransaction and
  would forbid parallel plans). Session settings do not change what they return. No pattern has a
  bounded repetition of many: PostgreSQL expands those, and matching takes a hundred times longer.

    fhir_precision(text)      'year', 'month', 'day' or 'time'; null if it is no date. Seconds and
                              zone may be missing, though FHIR asks for them
    fhir_date(text)           the day as written; the first day of a year or month
    fhir_time(text)           the instant, within the years 1 to 9999 in UTC, which is what programs
                              that read the tables can hold. Without a zone it is read in that of
                              the variable `time_zone`; without a time it is midnight there
    fhir_key(text)            the text, or of one too long for an index its beginning and a digest
    fhir_number(text)         a decimal, with or without an exponent of one or two digits
    fhir_boolean(text)        'true' or 'false'
    fhir_reference(text, t)   the id in a relative or absolute reference to a resource of type t
-#}
{#- Characters: at four bytes each they fit an index entry, which holds 2704. -#}
{% macro longest_key() -%} 500 {%- endmacro %}

{% macro create_functions() %}
{%- set schema = target.schema -%}
{%- set kind = 'immutable strict parallel safe' -%}
{%- set zone = "'" ~ var('time_zone') ~ "'" -%}
select pg_advisory_xact_lock(hashtext('{{ schema }}.functions'));

create or replace function {{ schema }}.fhir_precision(value text) returns text
language plpgsql {{ kind }} as $$
declare
  year int;
  month int;
begin
  if value !~ ('^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])'
       || '(T([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)(\.[0-9]+)?)?'
       || '(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?)?)?)?$')
     or length(value) > 60
     or value like '0000%' then
    return null;
  end if;
  if length(value) = 4 then
    return 'year';
  elsif length(value) = 7 then
    return 'month';
  end if;
  year := substr(value, 1, 4);
  month := substr(value, 6, 2);
  if substr(value, 9, 2)::int
     > extract(day from make_date(year, month, 1) + interval '1 month - 1 day') then
    return null;
  end if;
  return case when length(value) = 10 then 'day' else 'time' end;
end $$;

create or replace function {{ schema }}.fhir_date(value text) returns date
language plpgsql {{ kind }} as $$
begin
  if {{ schema }}.fhir_precision(value) is null then
    return null;
  end if;
  return left(value || substr('-01-01', length(value) - 3), 10)::date;
end $$;

create or replace function {{ schema }}.fhir_time(value text) returns timestamptz
language plpgsql {{ kind }} as $$
declare
  precise text := {{ schema }}.fhir_precision(value);
  moment timestamptz;
begin
  if precise is null then
    return null;
  elsif precise <> 'time' then
    moment := {{ schema }}.fhir_date(value)::timestamp at time zone {{ zone }};
  elsif value ~ '(Z|[+-][0-9][0-9]:[0-9][0-9])$' then
    moment := value::timestamptz;
  else
    moment := value::timestamp at time zone {{ zone }};
  end if;
  return case
    when moment >= '0001-01-01T00:00:00Z' and moment < '10000-01-01T00:00:00Z' then moment
  end;
end $$;

create or replace function {{ schema }}.fhir_key(value text) returns text
language plpgsql {{ kind }} as $$
begin
  if length(value) <= {{ longest_key() }} then
    return value;
  end if;
  return left(value, 200) || '… sha256:' || encode(sha256(convert_to(value, 'UTF8')), 'hex');
end $$;

create or replace function {{ schema }}.fhir_number(value text) returns numeric
language plpgsql {{ kind }} as $$
begin
  if length(value) > 200 or value !~ '^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9][0-9]?)?$' then
    return null;
  end if;
  return value::numeric;
end $$;

create or replace function {{ schema }}.fhir_boolean(value text) returns boolean
language sql {{ kind }} as $$
  select case value when 'true' then true when 'false' then false end
$$;

create or replace function {{ schema }}.fhir_reference(reference text, type text) returns text
language plpgsql {{ kind }} as $$
declare
  parts text[];
  id_at int;
begin
  if strpos(reference, type || '/') = 0 then
    return null;
  end if;
  parts := string_to_array(reference, '/');
  id_at := cardinality(parts);
  if parts[id_at - 1] = '_history' then
    id_at := id_at - 2;
  end if;
  if parts[id_at - 1] = type and length(parts[id_at]) between 1 and 64
     and parts[id_at] !~ '[^A-Za-z0-9.-]' then
    return parts[id_at];
  end if;
  return null;
end $$;
{% endmacro %}
