#!/usr/bin/env perl
# Prints the public API that symbol graphs describe, a line for each symbol and each conformance, sorted.
#
# Usage: api.pl GRAPH…      (files that swift-symbolgraph-extract made)
use strict;
use warnings;
use JSON::PP;

my %lines;
for my $path (@ARGV) {
  open my $file, '<:raw', $path or die "$path: $!\n";
  local $/;
  my $graph = decode_json(<$file>);
  my $module = $graph->{module}{name};
  my %names;
  for my $symbol (@{$graph->{symbols}}) {
    my $name = join '.', $module, @{$symbol->{pathComponents}};
    $names{$symbol->{identifier}{precise}} = $name;
    my $declaration = join '', map { $_->{spelling} } @{$symbol->{declarationFragments}};
    $declaration =~ s/\s+/ /g;
    $lines{"$name: $declaration"} = 1;
  }
  for my $relation (@{$graph->{relationships}}) {
    next unless $relation->{kind} eq 'conformsTo';
    my $name = $names{$relation->{source}} // next;
    my $protocol = $names{$relation->{target}} // $relation->{targetFallback} // next;
    # What the compiler derives by itself, depending on its version.
    next if $protocol =~ /^Swift\.(Copyable|Escapable|SendableMetatype)$/;
    $lines{"$name: $protocol"} = 1;
  }
}
print "$_\n" for sort keys %lines;
