#!/usr/bin/env perl
# Checks that code in articles is code that is compiled. A Swift sample behind a comment that names a file, such as
# <!-- Examples/Sources/Notes/Notes.swift -->, must be a part of that file: the same lines, perhaps less indented. Its lines have
# at most 80 columns, so that they fit the page.
use strict;
use warnings;
use File::Basename qw(dirname);

chdir dirname(__FILE__) . '/..' or die "samples: cannot enter the package's folder: $!\n";
my ($count, @problems) = (0);

# The lines without the indentation that all of them have.
sub unindented {
  my ($text) = @_;
  my ($least) = sort { $a <=> $b } map { length } $text =~ /^( *)\S/mg;
  my $indentation = ' ' x ($least // 0);
  $text =~ s/^$indentation//mg;
  return $text;
}

# Whether the sample is a run of the file's lines, all of them indented by as much more.
sub is_part {
  my ($sample, $file) = @_;
  my $wanted = unindented($sample);
  for my $indentation (map { ' ' x $_ } 0 .. 12) {
    (my $indented = $wanted) =~ s/^(?=.)/$indentation/mg;
    return 1 if index("\n$file", "\n$indented") >= 0;
  }
  return 0;
}

sub text_of {
  my ($path) = @_;
  open my $file, '<', $path or die "samples: $path: $!\n";
  local $/;
  return scalar <$file>;
}

for my $article (sort(glob('Sources/*/*.docc/*.md'), 'README.md')) {
  my $text = text_of($article);
  while ($text =~ /^<!-- (\S+\.swift) -->\n```swift\n(.*?\n)```$/msg) {
    my ($path, $sample) = ($1, $2);
    my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
    $count++;
    push @problems, "$article:$line: there is no $path" and next unless -e $path;
    push @problems, "$article:$line: this is not what $path says" unless is_part($sample, text_of($path));
    push @problems, "$article:$line: a line has more than 80 columns: $1" if $sample =~ /^(.{81,})$/m;
  }
  my $named = () = $text =~ /^<!-- \S+\.swift -->$/mg;
  my $found = () = $text =~ /^<!-- \S+\.swift -->\n```swift\n/mg;
  push @problems, "$article: a comment names a file, and no Swift sample is behind it" if $named != $found;
}
push @problems, 'samples: no sample was found' unless $count;
print STDERR "$_\n" for @problems;
exit(@problems ? 1 : 0);
