-- Every function is born executable by everybody; those that this landing adds to the private schemas are for the definer functions alone.
revoke execute on all functions in schema app, rules, audit, sec from public, anon, authenticated, service_role;
