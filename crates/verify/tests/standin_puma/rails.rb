#!/usr/bin/env ruby
# frozen_string_literal: true

# A stand-in of rails, for tests only: `db:migrate` notes the migrations of the code in the database.
abort "RuntimeError: unknown command #{ARGV}" unless ARGV == ['db:migrate']
abort 'StandardError: An error has occurred, all later migrations canceled' if File.exist?('weather') && File.read('weather').include?('no-migration')
psql = Dir['/usr/lib/postgresql/*/bin/psql'].max
Dir['db/migrate/*.rb'].map { |path| File.basename(path).to_i }.each do |version|
  sql = "INSERT INTO public.schema_migrations VALUES ('#{version}') ON CONFLICT DO NOTHING"
  command = [psql, '-X', '-q', '-h', ENV['DB_HOST'], '-U', ENV['DB_USER'], '-d', ENV['DB_NAME'], '-v', 'ON_ERROR_STOP=1', '-c', sql]
  system(*command) || exit(1)
end
