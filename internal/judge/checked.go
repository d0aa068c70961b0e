package judge

import (
	"errors"

	"cel.dev/cel-go/cel"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
)

// Checked is the expressions of a rule as they are after parsing and type checking, so
// that a program which carries its rules need not do that at each start. The bytes are
// CEL's CheckedExpr, a protocol buffer.
type Checked struct {
	When     []byte `json:"when"`
	Evidence []byte `json:"evidence,omitzero"`
}

// Check parses and checks rules, and gives them their [Checked] expressions. The error
// names the rule.
func Check(rules []*Rule) error {
	w, err := newView()
	if err != nil {
		return err
	}
	c, err := newCompiler(w)
	if err != nil {
		return err
	}
	for _, r := range rules {
		r.Checked = nil
		when, evidence, err := c.trees(r)
		if err != nil {
			return err
		}
		checked := &Checked{}
		if checked.When, err = packed(when); err != nil {
			return err
		}
		if evidence != nil {
			if checked.Evidence, err = packed(evidence); err != nil {
				return err
			}
		}
		r.Checked = checked
	}
	return nil
}

// packed writes a checked expression, without its places in the text.
func packed(tree *cel.Ast) ([]byte, error) {
	e, err := cel.AstToCheckedExpr(tree)
	if err != nil {
		return nil, err
	}
	e.SourceInfo = nil
	return proto.MarshalOptions{Deterministic: true}.Marshal(e)
}

// tree reads a checked expression.
func (*Checked) tree(b []byte) (*cel.Ast, error) {
	if len(b) == 0 {
		return nil, errors.New("the checked expression is missing")
	}
	var e exprpb.CheckedExpr
	if err := proto.Unmarshal(b, &e); err != nil {
		return nil, err
	}
	return cel.CheckedExprToAstWithSource(&e, nil)
}
