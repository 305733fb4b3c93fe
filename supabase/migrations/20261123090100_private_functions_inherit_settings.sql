-- A `set` clause costs as much as a small query, on every call. Private functions are reached only from public ones, which are
-- security definer and have emptied the search_path already; so only those, and triggers, which anyone's statement fires, keep it.

do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('app', 'rules', 'audit', 'sec')
      and p.proconfig @> array['search_path=""']
      and not p.prosecdef
      and p.prorettype <> 'trigger'::regtype
  loop
    execute format('alter function %s reset search_path', v_function);
  end loop;
end;
$$;
