create function public.cron_seal()
returns int
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_service();
  -- An older snapshot would not see who committed while the fence was up.
  if current_setting('transaction_isolation') is distinct from 'read committed' then
    perform rules.fail('NOT_CONFIGURED', jsonb_build_object('what', 'read committed'));
  end if;
  perform from app.seal_state s for update skip locked;
  if not found then
    return 0;
  end if;
  return app.seal_rows(app.uuid_v7_floor(app.final_at() - app.seal_margin()), 4000);
end;
$$;
comment on function public.cron_seal() is
  'Service, every minute: seals the next rows of the ledger, the point ledger and the audit log that no running transaction can add to '
  'any more, at most some 20 000. Answers how many items it sealed: 0 when there is nothing to do yet or somebody else is sealing; call '
  'again while it is large. No audit row: the seal is its own record. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, NOT_CONFIGURED (not '
  'in read committed).';
revoke all on function public.cron_seal() from public, anon, authenticated, service_role;
grant execute on function public.cron_seal() to service_role;
