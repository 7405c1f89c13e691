#!/usr/bin/env ruby
# frozen_string_literal: true

# A stand-in of puma with a Mastodon in it, for tests only. It asks the database and Redis where the environment says
# they are, and answers as Mastodon does. What goes wrong stands in the file `weather`.
require 'json'
require 'socket'

WEATHER = File.exist?('weather') ? File.read('weather').split : []
%w[DATABASE_URL SMTP_SERVER S3_ENABLED ES_ENABLED CDN_HOST OMNIAUTH_ONLY LDAP_ENABLED].each { |name| abort "RuntimeError: #{name} is set" if ENV[name] }
abort 'RuntimeError: .env.production is there' if File.exist?('.env.production')
abort "RuntimeError: not started as Mastodon: #{ARGV}" unless ARGV[0..2] == ['-C', 'config/puma.rb', '-b'] && File.exist?(ARGV[1])
abort 'RuntimeError: WEB_CONCURRENCY' unless ENV['WEB_CONCURRENCY'] == '0' && ENV['RAILS_ENV'] == 'production'
# As puma does.
abort "The minimum (#{ENV['MIN_THREADS']}) number of threads must be less" if ENV['MIN_THREADS'].to_i > ENV['MAX_THREADS'].to_i
abort 'libicui18n.so.99: cannot open shared object file: No such file or directory (LoadError)' if WEATHER.include?('no-library')
abort "config/boot.rb:3: cannot load such file -- mastodon/nothing (LoadError) #{ENV['SECRET_KEY_BASE']}" if WEATHER.include?('dies')

PSQL = Dir['/usr/lib/postgresql/*/bin/psql'].max

def select(sql)
  command = [PSQL, '-X', '-A', '-t', '-h', ENV['DB_HOST'], '-U', ENV['DB_USER'], '-d', ENV['DB_NAME'], '-c', sql]
  IO.popen(command, err: %i[child out], &:read).strip
end

def redis(command)
  UNIXSocket.open(ENV['REDIS_URL'].delete_prefix('unix://')) { |s| s.write("#{command}\r\n") && s.gets.to_s.strip }
end

def version
  code = File.read('lib/mastodon/version.rb')
  %w[major minor patch].map { |part| code[/def #{part}\s+(\d+)/, 1] }.join('.')
end

def about
  newest = Dir['db/migrate/*.rb'].map { |path| File.basename(path).to_i }.max
  migrated = select("SELECT count(*) FROM schema_migrations WHERE version = '#{newest}'")
  if migrated != '1' || select('SELECT count(*) > 0 FROM accounts') != 't'
    warn "ActiveRecord::PendingMigrationError: #{migrated}"
    return [500, "<html><body class='error'></body></html>"]
  end
  return [200, "<html><body class='error'>We are sorry</body></html>"] if WEATHER.include?('error-page')

  [200, "<html><body class='app-body'>#{ENV['LOCAL_DOMAIN']}</body></html>"]
end

def instance
  return [500, '{"error":"Redis is not empty"}'] unless redis('DBSIZE') == ':0' || WEATHER.include?('seen')

  redis('SET seen 1')
  WEATHER << 'seen'
  domain = WEATHER.include?('other-domain') ? 'other.test' : ENV['LOCAL_DOMAIN']
  [200, JSON.generate(domain: domain, title: 'x', version: WEATHER.include?('other-version') ? '4.5.0' : version)]
end

# A file of public/ as Rails serves it where it is told to.
def file(path)
  path = path.to_s.split('?').first.to_s
  return if ENV['RAILS_SERVE_STATIC_FILES'].nil? || path.include?('..') || !File.file?("public#{path}")

  [200, File.binread("public#{path}")]
end

server = UNIXServer.new(ENV.fetch('SOCKET'))
abort "RuntimeError: another socket: #{ARGV}" unless ARGV[3] == "unix://#{ENV['SOCKET']}"
loop do
  client = server.accept
  head = []
  while (line = client.gets) && line != "\r\n"
    head << line.strip
  end
  path = head[0].to_s.split[1]
  length = head.filter_map { |line| line[/\AContent-Length: (\d+)\z/i, 1] }.first.to_i
  body = length.zero? ? '' : client.read(length)
  sleep if WEATHER.include?('hangs') && path == '/about'
  is_known = head.include?("Host: #{ENV['LOCAL_DOMAIN']}") && head.include?('X-Forwarded-Proto: https')
  status, body = case path
                 when '/health' then [200, 'OK']
                 when '/about' then is_known ? about : [403, '']
                 when '/api/v2/instance' then is_known ? instance : [403, '']
                 when '/login' then [302, '']
                 when '/told' then [200, "#{head.join("\n")}\n\n#{body}\n#{ENV['STREAMING_API_BASE_URL']}"]
                 else file(path) || [404, '']
                 end
  more = "Location: https://#{ENV['LOCAL_DOMAIN']}/about\r\nSet-Cookie: a=b; secure\r\n" if path == '/login'
  client.write("HTTP/1.1 #{status} X\r\nContent-Type: text/html\r\n#{more}\r\n#{body}")
  client.close
end
