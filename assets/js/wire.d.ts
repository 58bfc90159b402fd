// Written by `python -m clip_tta_core.ui.wire`; edit clip_tta_core/ui/wire instead.

/** Histories and lists in one string each: see clip_tta_core/ui/wire/encode.py. */
export type Numbers = string;
export type Lines = string;
export type Counts = string;
export type Indices = string;
export type DataUrl = string;

export type RunState = "idle" | "recorded" | "waiting" | "loading" | "running" | "paused" | "stopping" | "stopped" | "done" | "failed";
export type Field = NumberField | ChoiceField | PickField | NamesField | SwitchField;
export type Exports = KeptFile | Link | Snippet | Refused;

/** Sentences, without the capital letter and the period that depend on where they stand. */
export interface ClassListWords {
  few: string;
  repeated: string;
  empty: string;
  many: string;
  long: string;
  strange: string;
}

/** The rules. */
export interface ClassList {
  separators: string;
  most: number;
  longest: number;
  words: ClassListWords;
}

/** One state, as the page shows it. */
export interface State {
  word: string;
  busy: boolean;
  under_way: boolean;
  over: boolean;
}

/** A number, with what a visitor needs to read it. */
export interface Measure {
  name: string;
  title: string;
  kind: "share" | "number" | "classes" | "count" | "seconds" | "times";
  better: "high" | "low" | "";
  help: string;
  places: ("curves" | "table" | "ranking" | "steps")[];
  needs: "" | "labels" | "unknowns";
  full: "one" | "classes" | "";
  short: string;
  bar: boolean;
  chance: boolean;
}

/** One entry of a choice. */
export interface Option {
  name: string;
  title: string;
  help: string;
  group: string;
  value?: boolean;
}

/** A choice's last entry: text of one's own. */
export interface Other {
  title: string;
  placeholder: string;
  rows: number;
  help: string;
  hole: string;
}

/** A slider and a box that takes exact values. */
export interface NumberField {
  name: string;
  title: string;
  help: string;
  when: ([string, "is" | "not", string])[];
  default?: boolean | number | string;
  kind: "number";
  low: number;
  high: number;
  limits: [number, number];
  log: boolean;
  whole: boolean;
  choices: string[];
  fallback?: number;
}

/** A menu. */
export interface ChoiceField {
  name: string;
  title: string;
  help: string;
  when: ([string, "is" | "not", string])[];
  default?: boolean | number | string;
  kind: "choice";
  options: Option[];
  other?: Other;
}

/** A few options side by side. */
export interface PickField {
  name: string;
  title: string;
  help: string;
  when: ([string, "is" | "not", string])[];
  default?: boolean | number | string;
  kind: "pick";
  options: Option[];
}

/** The list of classes; its rules are those of `class_list`. */
export interface NamesField {
  name: string;
  title: string;
  help: string;
  when: ([string, "is" | "not", string])[];
  default?: boolean | number | string;
  kind: "names";
  placeholder: Record<string, string>;
  knows: Record<string, string[]>;
}

/** On or off. */
export interface SwitchField {
  name: string;
  title: string;
  help: string;
  when: ([string, "is" | "not", string])[];
  default?: boolean | number | string;
  kind: "switch";
}

/** A part of the form that opens and closes. */
export interface Section {
  name: string;
  title: string;
  open: boolean;
  fields: Field[];
}

/** Values of a method's knobs that belong together. */
export interface Preset {
  title: string;
  values: Record<string, boolean | number | string>;
}

/** A method as the form and the ranking show it. */
export interface MethodCard {
  name: string;
  title: string;
  family: string;
  summary: string;
  citation: string;
  paper: string;
  code: string;
  colour: string;
  marker: string;
  front: boolean;
  presets: Preset[];
  cost: number;
  texts: boolean;
  knobs: Field[];
}

/** Whoever takes part in a run, as every chart draws it. */
export interface Contender {
  name: string;
  title: string;
  colour: string;
  dash: string;
  marker: string;
}

/** Every curve over the stream; the reader chooses which one to look at. */
export interface Curves {
  methods: Contender[];
  total: number;
  labelled: boolean;
  unknowns: boolean;
  classes: number;
  more: Measure[];
  curves: Record<string, Record<string, Numbers>>;
  low: Record<string, Record<string, Numbers>>;
  high: Record<string, Record<string, Numbers>>;
}

/** What the curves can show. */
export interface CurvesProps {
  options: Measure[];
}

/** Predicted classes per batch and method beside the true ones, and how many are in use. */
export interface Classes {
  methods: Contender[];
  classes: string[];
  window: number;
  labelled: boolean;
  counts: Record<string, Counts>;
  truth: Counts;
  effective: Record<string, Numbers>;
}

/** Scores of known and unknown pictures around the threshold. */
export interface Scores {
  methods: Contender[];
  window: number;
  known: Record<string, Lines>;
  unknown: Record<string, Lines>;
  threshold: Record<string, Numbers>;
  auroc: Record<string, Numbers>;
  fpr95: Record<string, Numbers>;
  accepted: Record<string, Numbers>;
}

/** The table: a row per method, a column per measure. */
export interface Results {
  methods: Contender[];
  columns: Measure[];
  values: Record<string, Record<string, Numbers>>;
}

/** What to say at every batch and of the whole run, which stream it is about, and what to know of it. */
export interface Sentence {
  steps: Lines;
  whole: string;
  stream: string;
  notes: string[];
}

/** One batch: its pictures on one sheet, their labels, and every method's predictions. */
export interface Gallery {
  methods: Contender[];
  classes: string[];
  run: number;
  sprite: DataUrl;
  step: number;
  total: number;
  columns: number;
  labels: Indices;
  unknown: Indices;
  names: string[];
  applied: string[];
  answers: Record<string, Indices>;
  sure: Record<string, Indices>;
  accepted: Record<string, Indices>;
  work?: string;
  after?: string;
}

/** The batch under way, optimization step by step, as far as it has been looked into. */
export interface Steps {
  methods: Contender[];
  classes: string[];
  batch: number;
  size: number;
  labelled: boolean;
  work: string;
  planned: Record<string, number>;
  done: string[];
  taken: Record<string, Numbers>;
  measures: Measure[];
  values: Record<string, Record<string, Numbers>>;
  counts: Record<string, Counts>;
  truth: Counts;
  says: string;
}

/** How probable a class is, to each method. */
export interface ClassRow {
  name: string;
  really: boolean;
  probs: Record<string, number>;
}

/** To which captions a loss pulls a picture by its own gradient, and from which it pushes. */
export interface Pull {
  title: string;
  to: [string, number][];
  away: [string, number][];
  truth?: number;
}

/** A picture of a memory. */
export interface Neighbour {
  of: string;
  image: DataUrl;
  label: string;
  near: number;
}

/** A picture of a batch, looked at closely. */
export interface Closer {
  batch: number;
  index: number;
  name: string;
  applied: string;
  really?: string;
  image: DataUrl;
  methods: Contender[];
  under_way: string;
  rows: ClassRow[];
  pulls: Pull[];
  neighbours: Neighbour[];
}

/** The status line and the timeline. */
export interface Status {
  state: RunState;
  done: number;
  batch: number;
  batches: number;
  method: string;
  step: number;
  steps: number;
  doing: string;
  share: number;
  rate?: number;
  left?: number;
  device: string;
}

/** One sentence when something cannot be done, or "". */
export interface Message {
  text: string;
  run?: boolean;
}

/** Which runs can be paused and stepped here. */
export interface TransportProps {
  controls: Record<string, boolean>;
  others: boolean;
}

/** What a lesson lets one look at: a curve, and in the gallery a contender and a filter. */
export interface Looks {
  curve: string;
  method: string;
  pictures: "all" | "changed" | "gained" | "lost";
}

/** What to try next: settings that are not the lesson's. */
export interface Change {
  says: string;
  settings: Record<string, any>;
}

/** What a long run will cost, and settings that cost less. */
export interface Expense {
  says: string;
  cheaper: Change[];
}

/** What to guess before one sees the numbers, and what they say. */
export interface Question {
  asks: string;
  answers: string[];
  right: number;
  says: string;
  why: string;
  preset: string;
  change: Change;
}

/** Pictures that a lesson runs on and that do not come with the page. */
export interface Needs {
  says: string;
  twin: string;
  instead: string;
}

/** One lesson, with a picture of its stream; only a recorded one can be shown at once and asks. */
export interface LessonCard {
  name: string;
  title: string;
  look_for: string;
  protocol: string;
  minutes: number;
  settings: Record<string, any>;
  picture?: DataUrl;
  looks?: Looks;
  question?: Question;
  needs?: Needs;
}

/** The lessons, in the order of the course. */
export interface LessonsProps {
  lessons: LessonCard[];
}

/** A method that takes part once more: an entry of the form's `copies`. */
export interface Copy {
  label: string;
  method: string;
  settings: Record<string, any>;
  from_start?: boolean;
}

/** What the form is built from. */
export interface FormProps {
  sections: Section[];
  methods: MethodCard[];
  most: number;
}

/** A file to keep. */
export interface KeptFile {
  name: string;
  kind: string;
  data: string;
  id?: number;
}

/** A query string that restores the settings. */
export interface Link {
  id: number;
  query: string;
}

/** A script that does what is set up, with {address} where the page's own belongs. */
export interface Snippet {
  id: number;
  code: string;
}

/** Why there is no file. */
export interface Refused {
  id: number;
  problem: string;
}

/** A model that suits the visitor's pictures better than the chosen one. */
export interface Offer {
  said: string;
  settings: Record<string, any>;
}

/** What came of an upload, or how far reading it is. */
export interface Upload {
  said: string;
  share?: number;
  kept: boolean;
  skipped: [string, string][];
  thumbnails?: DataUrl;
  shown: number;
  counts: [string, number][];
  notes: string[];
  levels: [number, string][];
  level?: number;
  folders: string[];
  seen?: DataUrl;
  sees: string;
  offer?: Offer;
}

/** What one upload may be. */
export interface UploadLimits {
  said: string;
  bytes: number;
  entries: number;
  archives: string[];
}

/** What an upload is for. */
export interface UploadProps {
  purpose: "pictures" | "unknowns";
  limits: UploadLimits;
  folder: string;
}

/** Where one contender is. */
export interface RankingRow {
  name: string;
  method: string;
  done: number;
  total: number;
  numbers: Record<string, number | null>;
  problem: string;
  place: string;
}

/** A comparison as far as it has come; what is None is as it was before. */
export interface Ranking {
  state: RunState;
  stream?: string;
  classes?: number;
  methods?: string[];
  finished?: number;
  share?: number;
  doing?: string;
  sentence?: string;
  rows?: RankingRow[];
  message?: string;
}

/** What can be compared, and how. */
export interface RankingProps {
  methods: MethodCard[];
  most: number;
  knobs: Option[];
  columns: Measure[];
}

/** One contender: an entry for every shift, then for their means. */
export interface HeatRow {
  title: string;
  means: (number | null)[];
  spreads: (number | null)[];
  seeds: number[];
  problems: string[];
  reported: string[];
}

/** A table as far as it is measured; what is None is as it was before. */
export interface Heat {
  state: RunState;
  table?: string;
  size?: string;
  columns?: string[];
  shifts?: number;
  rows?: HeatRow[];
  baseline?: number;
  now?: number[];
  done?: number;
  count?: number;
  doing?: string;
  advice?: string[];
  message?: string;
}

/** A table that can be chosen. */
export interface HeatTable {
  name: string;
  title: string;
  needs: string;
}

/** What can be chosen. */
export interface HeatProps {
  tables: HeatTable[];
  sizes: Option[];
  table: string;
  size: string;
  methods: string[];
  shifts: string[];
}

/** All there is to know of one cell. */
export interface HeatCard {
  title: string;
  lines: [string, string][];
  command: string;
  settings: Record<string, any>;
}

/** Features on the run's plane. */
export interface FeatureMap {
  captions: [number, number][];
  explained: number;
  start: Lines;
  end: Lines;
}

/** Which true class got which answer: a row a class, of those that occur most. */
export interface Confusion {
  classes: number[];
  left_out: number;
  before: Counts;
  after: Counts;
}

/** Pictures that an adaptation put right or wrong, over the whole run. */
export interface Flips {
  gained: number;
  lost: number;
  shown: Lines;
}

/** How far apart the classes lie that are answered, and whether that tells of accuracy. */
export interface Variance {
  variance: Record<string, Numbers>;
  accuracy: Numbers;
  says: string;
}

/** What a memory held when: the pictures that ever entered it. */
export interface MemoryWall {
  stays: Lines;
}

/** How far each trained layer's weights are from where they started. */
export interface LayerDrift {
  layers: string[];
  drift: Lines;
}

/** One contender of a run, batch by batch. Of a long run some batches are drawn, counts are of all. */
export interface InsideRun {
  methods: Contender[];
  method: string;
  classes: string[];
  stream: string;
  made: string;
  done: number;
  total: number;
  batches: number[];
  labelled: boolean;
  labels: Lines;
  before: Lines;
  after: Lines;
  sure: Lines;
  flips: Flips;
  confusion?: Confusion;
  features?: FeatureMap;
  variance?: Variance;
  memory?: MemoryWall;
  drift?: LayerDrift;
}

/** Pictures that were asked for, side by side; those that are no longer there are left out. */
export interface InsideSheet {
  sprite: DataUrl;
  columns: number;
  tiles: Indices;
}

/** An answer: a run or pictures of it. */
export interface Inside {
  asked: number;
  run?: InsideRun;
  sheet?: InsideSheet;
  message?: string;
}

/** A visitor's own picture, by the key to ask for it; or what is wrong with it. */
export interface Subject {
  key?: string;
  title?: string;
  problem?: string;
}

/** The picture that is shown first. */
export interface SubjectStart {
  object: string;
  seed: number;
  severity: number;
}

/** What can be drawn. */
export interface SubjectProps {
  objects: string[];
  severities: number[];
  start: SubjectStart;
}

/** One corruption, or the attack. */
export interface CorruptionTile {
  name: string;
  title: string;
  meaning: string;
  extra: boolean;
  takes: Record<string, any>[];
}

/** Corruptions of one kind. */
export interface CorruptionFamily {
  name: string;
  title: string;
  meaning: string;
  corruptions: CorruptionTile[];
}

/** All of them. */
export interface CorruptionsProps {
  families: CorruptionFamily[];
}

/** A word of the field, other ways of writing it, and what it means in a sentence or two. */
export interface Term {
  word: string;
  says: string;
  also: string[];
}

/** The words that the page explains wherever they occur. */
export interface PrimerProps {
  terms: Term[];
}

/** What the server tells: a view by the name of each part that shows one, and a number for each telling. The numbers only grow; a part is told again when its number has grown. */
export interface Board {
  serials: Record<string, number>;
}

/** What each part draws, is built with, triggers, and asks the server for. */
export interface Parts {
  curves: { view: Curves; props: CurvesProps; events: never; serves: never };
  classes: { view: Classes; props: null; events: never; serves: never };
  scores: { view: Scores | null; props: null; events: never; serves: never };
  results: { view: Results; props: null; events: never; serves: never };
  sentence: { view: Sentence; props: null; events: never; serves: never };
  gallery: { view: Gallery | null; props: null; events: "open" | "look"; serves: never };
  closer: { view: Closer | null; props: null; events: never; serves: never };
  steps: { view: Steps | null; props: null; events: never; serves: never };
  status: { view: Status; props: null; events: never; serves: never };
  message: { view: Message; props: null; events: never; serves: never };
  board: { view: Board; props: null; events: never; serves: never };
  transport: { view: null; props: TransportProps; events: "run" | "pause" | "step" | "stop" | "reset"; serves: never };
  lessons: { view: null; props: LessonsProps; events: "choose"; serves: never };
  form: { view: Record<string, any>; props: FormProps; events: never; serves: "preview" | "costs" | "expense" | "names" };
  expense: { view: Expense | null; props: null; events: never; serves: never };
  exports: { view: Exports; props: null; events: "csv" | "settings" | "pictures" | "json" | "png" | "svg" | "link" | "script" | "open"; serves: never };
  upload: { view: Upload; props: UploadProps; events: "read" | "examples" | "recount" | "level" | "clear"; serves: never };
  ranking: { view: Ranking; props: RankingProps; events: "start" | "stop" | "watch"; serves: "describe" };
  standings: { view: Exports; props: null; events: "csv" | "png" | "svg" | "markdown" | "latex" | "link"; serves: never };
  heat: { view: Heat; props: HeatProps; events: "start" | "stop" | "play"; serves: "look" | "card" | "keep" };
  subject: { view: Subject; props: SubjectProps; events: never; serves: "keep" };
  corruptions: { view: null; props: CorruptionsProps; events: "take"; serves: "sheet" | "ladder" };
  inside: { view: Inside; props: null; events: "look" | "fetch"; serves: never };
  why: { view: null; props: null; events: never; serves: never };
  primer: { view: null; props: PrimerProps; events: never; serves: never };
}

export const PARTS: (keyof Parts)[];
export const ON_THE_BOARD: ("curves" | "classes" | "scores" | "results" | "sentence" | "gallery" | "closer" | "steps" | "status" | "message")[];
export const EVENTS: Partial<Record<keyof Parts, string[]>>;
export const STATES: Record<RunState, State>;
export const CLASS_LIST: ClassList;
