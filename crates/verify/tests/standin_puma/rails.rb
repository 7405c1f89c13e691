#!/usr/bin/env ruby
# frozen_string_literal: true

# A stand-in of rails, for tests only: `db:migrate` notes the migrations of the code in the database, `assets:precompile`
# makes a stylesheet of what lies in app/javascript/styles.
if ARGV == ['assets:precompile']
  sheets = Dir['app/javascript/styles/*.scss']
  abort 'SassError: there is nothing to build' if sheets.empty?
  sheets.each { |sheet| File.write("public/packs/#{File.basename(sheet, '.scss')}.css", "/* built */ #{File.read(sheet)}") }
  puts "built #{sheets.size}"
  exit
end
abort "RuntimeError: unknown command #{ARGV}" unless ARGV == ['db:migrate']
abort 'StandardError: An error has occurred, all later migrations canceled' if File.exist?('weather') && File.read('weather').include?('no-migration')
psql = Dir['/usr/lib/postgresql/*/bin/psql'].max
Dir['db/migrate/*.rb'].map { |path| File.basename(path).to_i }.each do |version|
  sql = "INSERT INTO public.schema_migrations VALUES ('#{version}') ON CONFLICT DO NOTHING"
  command = [psql, '-X', '-q', '-h', ENV['DB_HOST'], '-U', ENV['DB_USER'], '-d', ENV['DB_NAME'], '-v', 'ON_ERROR_STOP=1', '-c', sql]
  system(*command) || exit(1)
end
