-- What the RPCs about merchants share: bounded texts, who may administer.

alter table app.merchants
  add constraint merchants_contact_blank_or_long check (char_length(contact) between 1 and 200);

create function sec.bounded_text(p_text text, p_chars_max int, p_field text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_text text := nullif(btrim(p_text), '');
begin
  if char_length(v_text) > p_chars_max or v_text ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', p_field));
  end if;
  return v_text;
end;
$$;
comment on function sec.bounded_text(text, int, text) is
  'A text trimmed of spaces, NULL when nothing is left; MALFORMED_ARGUMENT when it is too long or has control characters.';

create function sec.require_merchant_owner(p_merchant_id uuid)
returns text
language plpgsql stable
set search_path = ''
as $$
declare
  v_role text := sec.merchant_role(p_merchant_id);
begin
  if sec.is_admin() then
    if not exists (select from app.merchants m where m.id = p_merchant_id) then
      perform rules.fail('MERCHANT_NOT_FOUND');
    end if;
    return 'admin';
  end if;
  if v_role is null then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  if v_role <> 'owner' then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return 'merchant';
end;
$$;
comment on function sec.require_merchant_owner(uuid) is
  'Refuses everybody but admins and owners of the merchant; as whom the caller acts: admin or merchant. An unknown merchant and somebody '
  'else''s get the same answer.';

create function app.changed_fields(p_old jsonb, p_new jsonb)
returns jsonb
language sql immutable
as $$
  select coalesce(jsonb_object_agg(n.key, jsonb_build_object('from', p_old ->> n.key, 'to', n.value)), '{}')
  from jsonb_each_text(p_new) n
  where n.value is distinct from p_old ->> n.key
$$;
comment on function app.changed_fields(jsonb, jsonb) is
  'What differs between two states of a row, for the audit log: {field: {from, to}}, as text.';
