#!/usr/bin/env perl
# Checks the layers of the engine's source: who names whom.
#
#   Scripts/layers.pl           checks; fails on an arrow against the table, a knot of files, a file that is too long
#   Scripts/layers.pl --arrows  lists every arrow from one room to another, with the names that make it
#   Scripts/layers.pl --knots   lists every knot, with the arrows in it
#
# The table is the one in CONTRIBUTING.md, under “Layers”: a row for each room, and which rooms it may know. A room is a
# folder of Sources/Immuta. A room may always know itself.
#
# How it sees an arrow: it reads the names that a file defines (types, global functions and values, and the members that an
# extension gives to a type of another file), drops comments and text, and looks for those names in the other files. It
# compiles nothing, so it takes a second and needs nothing but perl, which comes with git. Initializers have no name and are
# left out. So are members that two files define, for they say nothing; but a global function or value of that name is looked
# for. Where a type's name is also that of types inside others, the one that all can see is meant, except in files that extend
# one of those others.
#
# Scripts/layers-test.sh sees that it finds what it is to find.
#
# What the table forbids and the code still does is in Scripts/layers-exceptions.txt. The list may only become shorter: an
# exception that is needed no more is an error, too.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Find qw(find);

chdir dirname(__FILE__) . '/..' or die "layers: cannot enter the package's folder: $!\n";
my $mode = shift // '';
my $root = 'Sources/Immuta';
my $longest_file = 350;
my $largest_knot = 3;
my @problems;

# The table: room => { room it may know => 1 }.
sub read_table {
  my (%allowed, @order);
  open my $file, '<', 'CONTRIBUTING.md' or die "layers: CONTRIBUTING.md: $!\n";
  while (<$file>) {
    next unless /^\| `(\w+)\/` \|.*\| ([^|]*) \|\s*$/;
    my ($room, $text) = ($1, $2);
    push @order, $room;
    $allowed{$room} = { map { $_ => 1 } $text =~ /(\w+)/g };
  }
  die "layers: there is no table of rooms in CONTRIBUTING.md\n" unless @order;
  for my $room (@order) {
    my $seen = 0;
    for my $other (@order) {
      $seen = 1, next if $other eq $room;
      push @problems, "CONTRIBUTING.md: $room may know $other, which is above it" if !$seen && $allowed{$room}{$other};
    }
    for my $other (keys %{ $allowed{$room} }) {
      push @problems, "CONTRIBUTING.md: $room may know $other, which is no room" unless $allowed{$other};
    }
  }
  return (\%allowed, @order);
}

my %exception;    # "file name" of an arrow, "file lines" of a length, "knot" of the largest knot
sub read_exceptions {
  open my $file, '<', 'Scripts/layers-exceptions.txt' or return;
  while (<$file>) {
    next if /^\s*(#|$)/;
    if (/^(\S+) (\S+)\s*$/) { $exception{"$1 $2"} = { value => $2, used => 0 } }
    else { push @problems, "Scripts/layers-exceptions.txt:$.: neither “file name” nor “file lines” nor “knot size”" }
  }
}

# The code of a file, line by line, without comments and without what is only text: of a string, the interpolations stay.
sub code_of {
  my ($path) = @_;
  open my $file, '<', $path or die "layers: $path: $!\n";
  my $text = do { local $/; <$file> };
  my ($out, $position, $length) = ('', 0, length $text);
  my @nest;    # what is open: a string's end, or ')' of an interpolation with its depth
  while ($position < $length) {
    my $rest = substr $text, $position, 3;
    my $in_string = @nest && $nest[-1]{end};
    if ($in_string) {
      my $end = $nest[-1]{end};
      if (substr($text, $position, length $end) eq $end) {
        pop @nest;
        $position += length $end;
        $out .= ' ';
      } elsif (substr($rest, 0, 2) eq '\\(') {
        push @nest, { depth => 1 };
        $position += 2;
        $out .= ' ';
      } elsif (substr($rest, 0, 1) eq '\\') {
        $out .= "\n" if substr($rest, 1, 1) eq "\n";
        $position += 2;
      } else {
        $out .= "\n" if substr($rest, 0, 1) eq "\n";
        $position++;
      }
      next;
    }
    if ($rest eq '"""') { push @nest, { end => '"""' }; $position += 3 }
    elsif (substr($rest, 0, 1) eq '"') { push @nest, { end => '"' }; $position++ }
    elsif (substr($rest, 0, 2) eq '//') {
      my $end = index $text, "\n", $position;
      $position = $end < 0 ? $length : $end;
    } elsif (substr($rest, 0, 2) eq '/*') {
      my $end = index $text, '*/', $position;
      $end = $length - 2 if $end < 0;
      $out .= "\n" x (substr($text, $position, $end - $position) =~ tr/\n//);
      $position = $end + 2;
    } else {
      my $character = substr $rest, 0, 1;
      if (@nest) {
        $nest[-1]{depth}++ if $character eq '(';
        if ($character eq ')' && --$nest[-1]{depth} == 0) { pop @nest; $character = ' ' }
      }
      $out .= $character;
      $position++;
    }
  }
  return split /\n/, $out, -1;
}

my ($allowed, @order) = read_table();
read_exceptions();

my (@files, @elsewhere);
find(
  { no_chdir => 1,
    wanted => sub {
      return unless /\.swift$/ && !m{\.docc/};
      if (m{^\Q$root\E/\w+/[^/]+$}) { push @files, $_ } else { push @elsewhere, $_ }
    } },
  $root);
@files = sort @files;
push @problems, "$_: belongs to no room: a room is a folder of $root, and has none of its own" for sort @elsewhere;
my (%code, %room, %length);
my (%type, %member);    # name => { file => line }
my %declared;             # type's name => { file => 1 }, hidden ones and all
my %outer;                # type's name => { type that has one of that name inside => 1 }
my %extends;              # file => { type that it defines or extends => 1 }
my %own;                # file => { type of its own => 1 }

for my $file (@files) {
  ($room{$file}) = $file =~ m{^\Q$root\E/(\w+)/};
  push @problems, "$file: $room{$file} is not in the table of CONTRIBUTING.md" unless $allowed->{ $room{$file} };
  $code{$file} = [code_of($file)];
  open my $handle, '<', $file or die;
  $length{$file}++ while <$handle>;

  my ($depth, @context) = (0);    # context: the depth at which a type or an extension begins, and its name
  my $number = 0;
  for my $line (@{ $code{$file} }) {
    $number++;
    pop @context while @context && $depth <= $context[-1]{depth} && $context[-1]{entered};
    my $hidden = $line =~ /\b(?:private|fileprivate)\b(?!\()/;
    my $in_type = !@context ? $depth == 0 : $depth == $context[-1]{depth} + 1;
    my $within_hidden = grep { $_->{hidden} } @context;
    if ($in_type && $line =~ /\b(class|struct|enum|protocol|actor|typealias|extension)\s+(\[?[A-Z][\w.]*)/) {
      my ($kind, $name) = ($1, $2);
      $extends{$file}{$name} = 1;
      unless ($kind eq 'extension') {
        $own{$file}{$name} = 1;
        $declared{$name}{$file} = 1;
        $outer{$name}{ $context[-1]{name} } = 1 if @context;
        $type{$name}{$file} = { line => $number, isNested => scalar @context }
          unless $hidden || $within_hidden || $kind eq 'typealias' && @context;
      }
      push @context, { depth => $depth, name => $name, kind => $kind, hidden => $hidden, entered => 0 }
        unless $kind eq 'typealias';
    } elsif ($in_type && $line =~ /\b(func|var|let|case)\s+`?([a-z]\w*)/) {
      my ($kind, $name) = ($1, $2);
      my $extends = @context && $context[-1]{kind} eq 'extension' ? $context[-1]{name} : undef;
      if (!@context) { $member{$name}{$file} = { line => $number, global => 1 } unless $hidden }
      else {
        $member{$name}{$file} //= { line => $number, extends => $hidden || $within_hidden ? undef : $extends };
      }
    }
    my $opened = ($line =~ tr/{//) - ($line =~ tr/}//);
    $_->{entered} = 1 for $line =~ /\{/ && @context ? $context[-1] : ();
    $depth += $opened;
  }
}

# Which file defines a name that the others can see.
my (%home, %line_of);
my %is_shared;    # a name that some types have inside of them, too
for my $name (keys %type) {
  my @at = keys %{ $type{$name} };
  if (keys %{ $declared{$name} } != 1) {
    @at = grep { !$type{$name}{$_}{isNested} } @at;
    next if @at != 1;
    $is_shared{$name} = 1;
  }
  ($home{$name}, $line_of{$name}) = ($at[0], $type{$name}{ $at[0] }{line});
}
my %member_home;
for my $name (keys %member) {
  my @at = keys %{ $member{$name} };
  if (@at != 1) {
    @at = grep { $member{$name}{$_}{global} } @at;
    $is_shared{$name} = 1;
  }
  next if @at != 1 || length $name < 2;
  my $found = $member{$name}{ $at[0] };
  my $extends = $found->{extends};
  next unless $found->{global} || $extends && !$own{ $at[0] }{$extends};
  $member_home{$name} = $at[0];
  $line_of{$name} = $found->{line};
}

# The arrows: file => file it knows => name => line of the first use.
my %arrow;
for my $file (@files) {
  my $number = 0;
  for my $line (@{ $code{$file} }) {
    $number++;
    while ($line =~ /([.`]?)\b([A-Za-z_]\w*)\b/g) {
      my ($before, $name) = ($1, $2);
      my $target = $home{$name} // $member_home{$name} // next;
      next if $target eq $file || $own{$file}{$name};
      next if $is_shared{$name} && ($before eq '.' || $member{$name}{$file} || grep { $extends{$file}{$_} } keys %{ $outer{$name} });
      # A label, or a local name, that happens to be the same as an extension's member.
      next if !$home{$name} && $before ne '.' && substr($line, pos $line) !~ /^\(/;
      next if !$home{$name} && $line =~ /\b(?:func|let|var)\s+\Q$name\E\b/;
      $arrow{$file}{$target}{$name} //= $number;
    }
  }
}

sub short { my ($file) = @_; $file =~ s{^\Q$root\E/}{}; return $file }

if ($mode eq '--arrows') {
  my %between;
  for my $file (keys %arrow) {
    for my $target (keys %{ $arrow{$file} }) {
      next if $room{$file} eq $room{$target};
      $between{"$room{$file} -> $room{$target}"}{$_}++ for keys %{ $arrow{$file}{$target} };
    }
  }
  print "$_: ", join(', ', sort keys %{ $between{$_} }), "\n" for sort keys %between;
  exit 0;
}

for my $file (@files) {
  for my $target (sort keys %{ $arrow{$file} // {} }) {
    my ($from, $to) = @room{ $file, $target };
    next if $from eq $to || $allowed->{$from}{$to};
    for my $name (sort keys %{ $arrow{$file}{$target} }) {
      if (my $known = $exception{ short($file) . " $name" }) { $known->{used} = 1; next }
      push @problems, "$file:$arrow{$file}{$target}{$name}: $from must not know $to, and names $name"
        . " ($target:$line_of{$name})";
    }
  }
}

# Knots: files of which each leads to each other (Tarjan). A type's extensions in files of their own, Log+Append.swift, count
# with the file of the type: they are written apart, and are one.
sub concept { my ($file) = @_; $file =~ s/\+[^\/]*\.swift$/.swift/; return $file }
my %leads;    # concept => concept it leads to => { name => 1 }
for my $file (keys %arrow) {
  for my $target (keys %{ $arrow{$file} }) {
    my ($from, $to) = (concept($file), concept($target));
    next if $from eq $to;
    $leads{$from}{$to}{$_} = 1 for keys %{ $arrow{$file}{$target} };
  }
}
my ($count, @stack, %index, %low, %on_stack, @knots) = (0);
sub visit {
  my ($file) = @_;
  $index{$file} = $low{$file} = $count++;
  push @stack, $file;
  $on_stack{$file} = 1;
  for my $target (sort keys %{ $leads{$file} // {} }) {
    if (!defined $index{$target}) {
      visit($target);
      $low{$file} = $low{$target} if $low{$target} < $low{$file};
    } elsif ($on_stack{$target} && $index{$target} < $low{$file}) {
      $low{$file} = $index{$target};
    }
  }
  return if $low{$file} != $index{$file};
  my @knot;
  while (defined(my $member = pop @stack)) {
    $on_stack{$member} = 0;
    push @knot, $member;
    last if $member eq $file;
  }
  push @knots, [sort @knot] if @knot > 1;
}
no warnings 'recursion';
for my $file (sort keys %leads) { visit($file) unless defined $index{$file} }
@knots = sort { @$b <=> @$a } @knots;

if ($mode eq '--knots') {
  for my $knot (@knots) {
    my %in = map { $_ => 1 } @$knot;
    print scalar @$knot, " files:\n";
    for my $file (@$knot) {
      print '  ', short($file), "\n";
      for my $target (grep { $in{$_} } sort keys %{ $leads{$file} }) {
        print '    -> ', short($target), ' (', join(', ', sort keys %{ $leads{$file}{$target} }), ")\n";
      }
    }
  }
  exit 0;
}

my $largest = @knots ? scalar @{ $knots[0] } : 1;
my ($bound) = map { $exception{$_}{value} } grep { /^knot / } keys %exception;
$exception{"knot $bound"}{used} = $largest > $largest_knot if defined $bound;
if (defined $bound && $largest_knot < $largest && $largest < $bound) {
  push @problems, "Scripts/layers-exceptions.txt: the largest knot has $largest files by now: write “knot $largest”";
}
for my $knot (grep { @$_ > ($bound // $largest_knot) } @knots) {
  push @problems, "a knot of " . @$knot . " files, which all lead to each other (Scripts/layers.pl --knots shows how): "
    . join(', ', map { short($_) } @$knot);
}

for my $file (grep { $length{$_} > $longest_file } @files) {
  my ($known) = grep { /^\Q${\ short($file)}\E \d+$/ } keys %exception;
  if ($known) {
    $exception{$known}{used} = 1;
    next if $length{$file} <= $exception{$known}{value};
  }
  push @problems, "$file: $length{$file} lines, and $longest_file are allowed";
}

push @problems, "Scripts/layers-exceptions.txt: “$_” is needed no more: remove it"
  for sort grep { !$exception{$_}{used} } keys %exception;

my @lengths = sort { $a <=> $b } values %length;
printf "layers: %d files in %d rooms; %d knots, the largest of %d files; longest file %d lines, median %d; %d exceptions\n",
  scalar @files, scalar @order, scalar @knots, $largest, $lengths[-1], $lengths[ @lengths / 2 ], scalar keys %exception;
if (@problems) {
  print STDERR "$_\n" for @problems;
  print STDERR "layers: ", scalar @problems, " problems\n";
  exit 1;
}
