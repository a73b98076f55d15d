#!/usr/bin/env perl
# Writes the tool's manual pages, one for each command, from what the tool says of itself.
#
# usage: immuta --experimental-dump-help | Scripts/manuals.pl VERSION DIRECTORY
use strict;
use warnings;
use open qw(:std :encoding(UTF-8));
use JSON::PP;

my ($version, $directory) = @ARGV;
die "usage: immuta --experimental-dump-help | Scripts/manuals.pl VERSION DIRECTORY\n" unless defined $directory;
my $help = JSON::PP->new->decode(do { local $/; <STDIN> });
write_page($help->{command});

# escaped TEXT: as the formatter takes it for text.
sub escaped {
  my ($text) = @_;
  $text =~ s/\\/\\e/g;
  $text =~ s/-/\\-/g;
  $text =~ s/^([.'])/\\&$1/gm;
  return $text;
}

# paragraphs TEXT: indented lines stay as they are, and the others are filled.
sub paragraphs {
  my ($text) = @_;
  my $page = '';
  for my $paragraph (split /\n\s*\n/, $text) {
    $page .= ".PP\n";
    my $is_example = 0;
    for my $line (split /\n/, $paragraph) {
      my $is_indented = $line =~ /^\s{2}/ ? 1 : 0;
      if ($is_indented != $is_example) {
        $page .= $is_indented ? ".RS 4\n.nf\n" : ".fi\n.RE\n";
        $is_example = $is_indented;
      }
      $line =~ s/^\s+//;
      $page .= escaped($line) . "\n";
    }
    $page .= ".fi\n.RE\n" if $is_example;
  }
  return $page;
}

# spelled NAME: as it is typed.
sub spelled {
  my ($name) = @_;
  return ($name->{kind} eq 'long' ? '--' : '-') . $name->{name};
}

# title ARGUMENT: how it is written in a list.
sub title {
  my ($argument) = @_;
  my $value = '\fI' . escaped($argument->{valueName} // '') . '\fR';
  return $value if $argument->{kind} eq 'positional';
  my @names = map { '\fB' . escaped(spelled($_)) . '\fR' } @{ $argument->{names} };
  return join(', ', @names) . ($argument->{kind} eq 'option' ? " $value" : '');
}

# use_of ARGUMENT: how it is written in a synopsis.
sub use_of {
  my ($argument) = @_;
  my $value = '\fI' . escaped($argument->{valueName} // '') . '\fR';
  if ($argument->{kind} ne 'positional') {
    my $name = '\fB' . escaped(spelled($argument->{preferredName})) . '\fR';
    $value = $argument->{kind} eq 'option' ? "$name $value" : $name;
  }
  $value .= ' ...' if $argument->{isRepeating};
  return $argument->{isOptional} ? "[$value]" : $value;
}

sub write_page {
  my ($command) = @_;
  my @path = (@{ $command->{superCommands} // [] }, $command->{commandName});
  my $name = join '-', @path;
  my $words = join ' ', @path;
  my $abstract = $command->{abstract} // '';
  $abstract =~ s/\.$//;
  my @arguments = grep { $_->{shouldDisplay} } @{ $command->{arguments} // [] };
  my @commands = grep { $_->{commandName} ne 'help' && ($_->{shouldDisplay} // 1) } @{ $command->{subcommands} // [] };

  my $page = '.TH "' . uc($name) . qq(" 1 "" "immuta $version" "Immuta"\n);
  $page .= ".SH NAME\n" . escaped($name) . ' \- ' . escaped($abstract) . "\n";
  $page .= ".SH SYNOPSIS\n.B " . escaped($words) . "\n";
  $page .= ".I command\n" if @commands;
  # Options are listed below; here are those without which nothing goes, and the others in order.
  my @positional = grep { $_->{kind} eq 'positional' } @arguments;
  my @needed = grep { $_->{kind} ne 'positional' && !$_->{isOptional} } @arguments;
  $page .= "[\\fIoptions\\fR]\n" if grep { $_->{kind} ne 'positional' } @arguments;
  $page .= use_of($_) . "\n" for @needed, @positional;
  $page .= ".SH DESCRIPTION\n" . escaped($command->{abstract} // '') . "\n";
  $page .= paragraphs($command->{discussion}) if $command->{discussion};
  if (@arguments) {
    $page .= ".SH OPTIONS\n";
    for my $argument (@arguments) {
      $page .= ".TP\n" . title($argument) . "\n" . escaped($argument->{abstract} // '') . "\n";
      my @values = @{ $argument->{allValues} // [] };
      $page .= escaped('One of ' . join(', ', @values) . '.') . "\n" if @values && $argument->{kind} ne 'flag';
      my $default = $argument->{defaultValue};
      $page .= escaped("(default: $default)") . "\n" if defined $default && $default ne '';
    }
  }
  if (@commands) {
    $page .= ".SH COMMANDS\n";
    $page .= ".TP\n.BR " . escaped("$name-$_->{commandName}") . " (1)\n" . escaped($_->{abstract} // '') . "\n"
      for @commands;
  }
  my @others = @path > 1 ? (join('-', @path[0 .. $#path - 1])) : ();
  $page .= ".SH SEE ALSO\n" . join(", ", map { '\fB' . escaped($_) . '\fR(1)' } @others) . "\n" if @others;

  open my $file, '>', "$directory/$name.1" or die "cannot write $directory/$name.1: $!\n";
  print $file $page;
  close $file or die "cannot write $directory/$name.1: $!\n";
  write_page($_) for @commands;
}
