create function public.search_members(p_keyword text, p_limit int default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, is_linked boolean, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
-- Planned for each keyword: only a pattern that is known can use an index.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_keyword text;
  v_phone text;
  v_rows int;
begin
  perform sec.require_admin();
  v_keyword := sec.search_keyword(p_keyword);
  v_phone := substring(translate(v_keyword, ' -().', '') from '^[+]?([0-9]+)$');
  v_rows := sec.page_rows(p_limit, 0);
  return query
    -- Each field in the order of its own index and no further than the page: what many members share costs no more than what few do.
    with found as (
      (select m.id from app.member_profiles m where m.member_no like rules.like_prefix(upper(v_keyword))
       order by m.member_no using ~<~ limit v_rows)
      union
      (select m.id from app.member_profiles m where m.phone like rules.like_prefix('+' || v_phone)
       order by m.phone using ~<~ limit v_rows)
      union
      (select m.id from app.member_profiles m where m.email like rules.like_prefix(lower(v_keyword))
       order by m.email using ~<~ limit v_rows)
      union
      (select m.id from app.member_profiles m where lower(m.name) like rules.like_prefix(lower(v_keyword))
       order by lower(m.name) using ~<~, m.id limit v_rows))
    select m.id, m.member_no, m.name, m.phone, m.email, m.status, m.auth_user_id is not null, m.created_at
    from found f
    join app.member_profiles m on m.id = f.id
    order by m.member_no
    limit v_rows;
end;
$$;
comment on function public.search_members(text, int) is
  'Admin: members whose number, phone (from its country code, + or not), e-mail or name begins with the keyword, in any case, by number. '
  'At most 200, default 50; of more, those whose field comes first. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.search_members(text, int) from public, anon, authenticated, service_role;
grant execute on function public.search_members(text, int) to authenticated;
