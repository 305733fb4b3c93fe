-- Every function is born executable by everybody; the private ones are for the definer functions in public alone.
revoke execute on all functions in schema app, rules, audit, sec from public, anon, authenticated, service_role;
