#!/bin/sh
# Makes a Rails root with a stand-in of puma and rails in it, for tests only: real Ruby, real Bundler, and gems of these
# two names in vendor/bundle as `bundle install` would leave them.
# usage: build.sh LIVE
set -eu
from=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"; live=$(cd "$1" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export HOME="$work" LANG=C.UTF-8
bundle=vendor/bundle/ruby/$(ruby -e 'print RbConfig::CONFIG["ruby_version"]')
cd "$live"
mkdir -p config lib/mastodon db/migrate public/packs bin "$bundle"
for gem in puma rails; do
    mkdir -p "$work/$gem/exe"; cp "$from/$gem.rb" "$work/$gem/exe/$gem"
    cat >"$work/$gem/$gem.gemspec" <<SPEC
Gem::Specification.new do |s|
  s.name = "$gem"; s.version = "0.0.1"; s.summary = "A stand-in for tests"; s.authors = ["mastmaintd"]; s.license = "MIT"
  s.homepage = "https://mastmaintd.invalid"; s.files = ["exe/$gem"]; s.bindir = "exe"; s.executables = ["$gem"]
end
SPEC
    (cd "$work/$gem" && gem build --silent "$gem.gemspec" >/dev/null
     gem install --silent --local --no-document --install-dir "$live/$bundle" --bindir "$live/$bundle/bin" "$gem-0.0.1.gem" >/dev/null)
done
printf 'source "https://rubygems.org"\ngem "puma"\ngem "rails"\n' >Gemfile
printf 'GEM\n  remote: https://rubygems.org/\n  specs:\n    puma (0.0.1)\n    rails (0.0.1)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  puma\n  rails\n' >Gemfile.lock
ruby -e 'print RUBY_VERSION' >.ruby-version
echo '# read by the stand-in' >config/puma.rb
echo '{}' >public/packs/manifest.json
touch db/migrate/20260611150940_newest.rb
cat >lib/mastodon/version.rb <<'VERSION'
# frozen_string_literal: true

module Mastodon
  module Version
    module_function

    def major
      4
    end

    def minor
      6
    end

    def patch
      5
    end
  end
end
VERSION
