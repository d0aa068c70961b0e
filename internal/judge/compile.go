package judge

import (
	"fmt"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// compiled is a rule that can be asked.
type compiled struct {
	*Rule
	plan func() (*plan, error) // made when the rule is first asked of a fact
}

// plan is what a rule is asked by.
type plan struct {
	when, evidence cel.Program
	reads          []*field // of the asked fact, in the order of the expression
	filters        []filter
}

// filter is a condition that a fact must meet for the rule to be bad: one of the terms
// that the rule joins by "and". Most facts fail it, and then CEL need not be asked.
type filter struct {
	field  *field
	values []ref.Val
}

// met reports whether the condition holds or is unknown.
func (f filter) met(v *value) bool {
	got := f.field.get(v)
	if types.IsUnknown(got) {
		return true
	}
	for _, want := range f.values {
		if got.Equal(want) == types.True {
			return true
		}
	}
	return false
}

// compiler makes programs of rules, with one environment for each kind that is asked.
type compiler struct {
	view *view
	base *cel.Env

	mu   sync.Mutex
	envs map[fact.Kind]*cel.Env
}

func newCompiler(w *view) (*compiler, error) {
	options := []cel.EnvOption{
		cel.CustomTypeProvider(w), cel.CustomTypeAdapter(w), ext.Strings(),
		cel.Variable("root", cel.StringType),
		cel.Variable("config", cel.MapType(cel.StringType, cel.MapType(cel.StringType, cel.StringType))),
		cel.Function("versionLess", cel.Overload("version_less", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(a, b ref.Val) ref.Val {
				return types.Bool(versionLess(string(a.(types.String)), string(b.(types.String))))
			}))),
		cel.Function("unknown", cel.Overload("unknown_string", []*cel.Type{cel.StringType}, cel.BoolType,
			cel.UnaryBinding(func(a ref.Val) ref.Val { return unstated(string(a.(types.String))) }))),
		cel.Function("number", cel.Overload("number_string", []*cel.Type{cel.StringType}, cel.IntType,
			cel.UnaryBinding(func(a ref.Val) ref.Val { return number(string(a.(types.String))) }))),
	}
	for name, k := range lists() {
		options = append(options, cel.Variable(name, cel.ListType(w.of[k].typ)))
	}
	base, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	return &compiler{view: w, base: base, envs: map[fact.Kind]*cel.Env{}}, nil
}

// env is the environment of rules that are asked of a kind.
func (c *compiler) env(k fact.Kind) (*cel.Env, error) {
	if k == fact.KindDevice {
		return c.base, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.envs[k]; e != nil {
		return e, nil
	}
	t, ok := c.view.of[k]
	if !ok {
		return nil, fmt.Errorf("there is no kind %q", k)
	}
	e, err := c.base.Extend(cel.Variable(t.name, t.typ))
	if err != nil {
		return nil, err
	}
	c.envs[k] = e
	return e, nil
}

// compile makes a rule ready. One that carries its checked expressions is planned when it
// is first asked; of another the text is parsed and checked at once, so that its author
// hears of what is wrong.
func (c *compiler) compile(r *Rule) (*compiled, error) {
	out := &compiled{Rule: r}
	if r.Checked != nil {
		out.plan = sync.OnceValues(func() (*plan, error) { return c.plan(r) })
		return out, nil
	}
	p, err := c.plan(r)
	if err != nil {
		return nil, err
	}
	out.plan = func() (*plan, error) { return p, nil }
	return out, nil
}

func (c *compiler) plan(r *Rule) (*plan, error) {
	when, evidence, err := c.trees(r)
	if err != nil {
		return nil, err
	}
	env, err := c.env(r.Ask)
	if err != nil {
		return nil, fmt.Errorf("rule %q: ask: %w", r.ID, err)
	}
	out := &plan{}
	if out.when, err = env.Program(when, cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, fmt.Errorf("rule %q: when: %w", r.ID, err)
	}
	if evidence != nil {
		if out.evidence, err = env.Program(evidence, cel.EvalOptions(cel.OptOptimize)); err != nil {
			return nil, fmt.Errorf("rule %q: evidence: %w", r.ID, err)
		}
	}
	if r.Ask != fact.KindDevice {
		kind := c.view.of[r.Ask]
		out.reads = reads(kind, when)
		out.filters = filters(kind, when.NativeRep().Expr(), nil)
	}
	return out, nil
}

// trees gives the checked expressions of a rule: those that it carries, else those of its
// text. evidence is nil where it has none.
func (c *compiler) trees(r *Rule) (when, evidence *cel.Ast, err error) {
	if r.Checked != nil {
		if when, err = r.Checked.tree(r.Checked.When); err != nil {
			return nil, nil, fmt.Errorf("rule %q: when: %w", r.ID, err)
		}
		if r.Evidence == "" {
			return when, nil, nil
		}
		if evidence, err = r.Checked.tree(r.Checked.Evidence); err != nil {
			return nil, nil, fmt.Errorf("rule %q: evidence: %w", r.ID, err)
		}
		return when, evidence, nil
	}
	env, err := c.env(r.Ask)
	if err != nil {
		return nil, nil, fmt.Errorf("rule %q: ask: %w", r.ID, err)
	}
	if when, err = expression(env, r.When, cel.BoolType); err != nil {
		return nil, nil, fmt.Errorf("rule %q: when: %w", r.ID, err)
	}
	if r.Evidence == "" {
		return when, nil, nil
	}
	if evidence, err = expression(env, r.Evidence, cel.StringType); err != nil {
		return nil, nil, fmt.Errorf("rule %q: evidence: %w", r.ID, err)
	}
	return when, evidence, nil
}

func expression(env *cel.Env, text string, want *cel.Type) (*cel.Ast, error) {
	tree, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if !tree.OutputType().IsExactType(want) {
		return nil, fmt.Errorf("it is a %s, not a %s", tree.OutputType(), want)
	}
	return tree, nil
}

// reads lists the fields of the asked fact that an expression reads.
func reads(k *kindType, tree *cel.Ast) []*field {
	var out []*field
	nav := ast.NavigateAST(tree.NativeRep())
	for _, e := range ast.MatchDescendants(nav, ast.KindMatcher(ast.SelectKind)) {
		if f := fieldOf(k, e); f != nil && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b *field) int { return slices.Index(k.fields, a) - slices.Index(k.fields, b) })
	return out
}

// fieldOf gives the field that an expression selects of the asked fact.
func fieldOf(k *kindType, e ast.Expr) *field {
	if e.Kind() != ast.SelectKind {
		return nil
	}
	of := e.AsSelect().Operand()
	if of.Kind() != ast.IdentKind || of.AsIdent() != k.name {
		return nil
	}
	return k.byName[e.AsSelect().FieldName()]
}

// filters collects the terms that an expression joins by "and" and that compare a field
// with constants.
func filters(k *kindType, e ast.Expr, out []filter) []filter {
	switch e.Kind() {
	case ast.SelectKind:
		if f := fieldOf(k, e); f != nil && !e.AsSelect().IsTestOnly() {
			out = append(out, filter{f, []ref.Val{types.True}})
		}
	case ast.CallKind:
		call := e.AsCall()
		args := call.Args()
		switch call.FunctionName() {
		case operators.LogicalAnd:
			for _, a := range args {
				out = filters(k, a, out)
			}
		case operators.LogicalNot:
			if f := fieldOf(k, args[0]); f != nil && !args[0].AsSelect().IsTestOnly() {
				out = append(out, filter{f, []ref.Val{types.False}})
			}
		case operators.Equals:
			if f := fieldOf(k, args[0]); f != nil && args[1].Kind() == ast.LiteralKind {
				out = append(out, filter{f, []ref.Val{args[1].AsLiteral()}})
			}
		case operators.In:
			f := fieldOf(k, args[0])
			if f == nil || args[1].Kind() != ast.ListKind {
				break
			}
			var values []ref.Val
			for _, el := range args[1].AsList().Elements() {
				if el.Kind() != ast.LiteralKind {
					return out
				}
				values = append(values, el.AsLiteral())
			}
			out = append(out, filter{f, values})
		}
	default:
	}
	return out
}

// scene is what an expression may read: one asked fact and the world around it.
type scene struct {
	world *world
	lists map[string]fact.Kind
	kind  string
	fact  *value
	root  string
}

// ResolveName is part of cel.Activation.
func (s *scene) ResolveName(name string) (any, bool) {
	switch name {
	case s.kind:
		return s.fact, true
	case "root":
		return types.String(s.root), true
	case "config":
		return s.world.config(s.root), true
	}
	if k, ok := s.lists[name]; ok {
		return s.world.list(k, s.root), true
	}
	return nil, false
}

// Parent is part of cel.Activation.
func (s *scene) Parent() cel.Activation { return nil }

// ask evaluates the rule. why is of unknown: the words of what was missing. A rule that
// trips over odd values (an index past the end) has no answer either.
func (c *compiled) ask(s *scene) (out Outcome, why []string) {
	p, err := c.plan()
	if err != nil {
		return Unknown, []string{"the rule cannot be asked: " + err.Error()}
	}
	if s.fact != nil {
		for _, f := range p.filters {
			if !f.met(s.fact) {
				return Good, nil
			}
		}
	}
	v, _, err := p.when.Eval(s)
	if err != nil {
		return Unknown, []string{"the rule does not fit: " + err.Error()}
	}
	switch v := v.(type) {
	case types.Bool:
		if v {
			return Bad, nil
		}
		return Good, nil
	case *types.Unknown:
		return Unknown, missing(v)
	}
	return Unknown, []string{"the rule does not fit: the answer is a " + v.Type().TypeName()}
}

// saw says what the rule saw in a fact, by its own expression where it has one.
func (c *compiled) saw(s *scene) string {
	p, err := c.plan()
	if err != nil {
		return ""
	}
	if p.evidence != nil {
		if v, _, err := p.evidence.Eval(s); err == nil && text(v) != "" {
			return short(text(v))
		}
	}
	if s.fact == nil {
		return ""
	}
	return seen(p.reads, s.fact)
}
